package attempts

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

// activations counts the pods of each call.
type activations []int

func (a *activations) Activate(_ klog.Logger, pods map[string]*corev1.Pod) {
	*a = append(*a, len(pods))
}

func TestSparingActivator(t *testing.T) {
	members := func(namespace, group string, n int) map[string]*corev1.Pod {
		pods := map[string]*corev1.Pod{}
		for i := range n {
			pod := enginetest.Pod(fmt.Sprint(group, "-", i))
			pod.Namespace = namespace
			if group != "" {
				pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
			}
			pods[pod.Name] = pod
		}
		return pods
	}
	cycle := int64(1)
	var got activations
	a := &sparingActivator{next: &got, cycle: func() int64 { return cycle }}
	for _, c := range []struct {
		name string
		pods map[string]*corev1.Pod
		next int64
		want bool
	}{
		{"the first of a cycle", members("ns", "g", 5), 0, true},
		{"fewer of the same", members("ns", "g", 4), 0, false},
		{"as many of the same", members("ns", "g", 5), 0, false},
		{"more of the same", members("ns", "g", 6), 0, true},
		{"one of the same", members("ns", "g", 1), 0, true},
		{"another gang", members("ns", "h", 3), 0, true},
		{"one of that name elsewhere", members("other", "h", 3), 0, true},
		{"pods without a gang", members("ns", "", 3), 0, true},
		{"and again", members("ns", "", 3), 0, true},
		{"the gang in the next cycle", members("other", "h", 3), 1, true},
	} {
		cycle += c.next
		before := len(got)
		a.Activate(klog.Background(), c.pods)
		if passed := len(got) > before; passed != c.want {
			t.Errorf("%s: activated %t, want %t", c.name, passed, c.want)
		}
	}
}
