package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A rank is what a pod says, or else its place in the order of names: a, v-3, w-1, w-2,
// w-10, w-11.
func TestRanks(t *testing.T) {
	var pods []*corev1.Pod
	for _, name := range []string{"w-10", "w-2", "w-1", "a", "v-3", "w-11"} {
		pods = append(pods, devicePod(name, ""))
	}
	metav1.SetMetaDataLabel(&pods[3].ObjectMeta, "berth.dev/gang", "g")
	metav1.SetMetaDataAnnotation(&pods[3].ObjectMeta, "berth.dev/rank", "7")
	if diff := cmp.Diff([]int{4, 3, 2, 7, 1, 5}, Ranks(pods)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for pod, want := range map[*corev1.Pod]int{pods[3]: 7, pods[0]: 0} {
		if rank, said := RankOf(pod); rank != want || said != (want > 0) {
			t.Errorf("pod %q has rank %d (%t), want %d", pod.Name, rank, said, want)
		}
	}
}
