package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
)

func TestQueue(t *testing.T) {
	all := map[string]string{
		berthQueueLabel: "berth", kueueQueueLabel: "kueue", kaiQueueLabel: "kai", yunikornQueueLabel: "yunikorn",
		yunikornOldQueueLabel: "old", yunikornOldAppLabel: "app", koordinatorQueueLabel: "koordinator",
	}
	annotations := map[string]string{volcanoQueueName: "volcano"}
	var got []string
	for _, key := range []string{berthQueueLabel, kueueQueueLabel, kaiQueueLabel, yunikornQueueLabel,
		yunikornOldQueueLabel, koordinatorQueueLabel, ""} {
		got = append(got, Queue(all, annotations))
		delete(all, key)
	}
	want := []string{"berth", "kueue", "kai", "yunikorn", "old", "koordinator", "volcano"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("precedence of queues (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		name                string
		labels, annotations map[string]string
		want                string
	}{
		{name: "nothing"},
		{name: "a queue of the application's own", labels: map[string]string{"queue": "mails"}},
		{name: "Spark under YuniKorn", labels: map[string]string{"queue": "root.a", "spark-app-selector": "spark-1"}, want: "root.a"},
		{name: "a task group under YuniKorn", labels: map[string]string{"queue": "root.a"},
			annotations: map[string]string{yunikornTaskGroup: "workers"}, want: "root.a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Queue(tc.labels, tc.annotations); got != tc.want {
				t.Errorf("Queue = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	var got []string
	for _, kind := range Kinds() {
		got = append(got, fmt.Sprintf("%s %s %s patch=%q", kind.Kind, kind.Resource.GroupResource(), kind.Dialect, kind.Subresource))
		if declared := kind.Declare(&unstructured.Unstructured{}); declared != nil {
			t.Errorf("%s: an object without a name declares %v", kind.Resource, declared)
		}
		kind.Status(&unstructured.Unstructured{}, Outcome{}, time.Time{})
	}
	want := []string{
		`PodGroup podgroups.scheduling.x-k8s.io scheduler-plugins patch="status"`,
		`PodGroup podgroups.scheduling.run.ai kai patch="status"`,
		`PodGroup podgroups.scheduling.volcano.sh volcano patch=""`,
		`PodGroup podgroups.scheduling.sigs.k8s.io koordinator patch=""`,
		`JobSet jobsets.jobset.x-k8s.io jobset patch=""`,
		`LeaderWorkerSet leaderworkersets.leaderworkerset.x-k8s.io leaderworkerset patch=""`,
		`RayCluster rayclusters.ray.io scheduler-plugins patch=""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// TestLevelNames keeps the sentence and the table the same.
func TestLevelNames(t *testing.T) {
	for _, name := range strings.Split(LevelNames, ", ") {
		if levels[name] == "" {
			t.Errorf("level %q has no label key", name)
		}
	}
	if n := len(strings.Split(LevelNames, ", ")); n != len(levels) {
		t.Errorf("%d names for %d levels", n, len(levels))
	}
}

func TestMultiplySaturating(t *testing.T) {
	const most, least = 1<<63 - 1, -1 << 63
	for _, tc := range []struct{ a, b, want int64 }{
		{3, 4, 12}, {-3, 4, -12}, {-3, -4, 12}, {0, least, 0}, {most, 2, most}, {least, 2, least},
		{least, -1, most}, {most, -2, least}, {1 << 32, 1 << 31, most}, {most, 1, most},
	} {
		if got := multiplySaturating(tc.a, tc.b); got != tc.want {
			t.Errorf("%d x %d = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

// TestManyGroups bounds what one object can make the scheduler hold.
func TestManyGroups(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "vllm", "namespace": "ml"},
		"spec":     map[string]any{"startupPolicy": "LeaderReady", "replicas": int64(1) << 40},
	}}
	if got := len(declareLeaderWorkerSet(object)); got != mostGroups {
		t.Errorf("%d gangs declared, want %d", got, mostGroups)
	}
}

// TestStatusSettles applies each patch to its object: the same outcome then needs
// no other patch, the entries of others are as they were, and neither Declare nor
// Status changed the object.
func TestStatusSettles(t *testing.T) {
	manifests, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	outcomes := []Outcome{
		{Code: gang.Incomplete, Text: "waits"},
		{Code: gang.NotDeclared, Text: "waits for another reason"},
		{Scheduled: true, Bound: 4},
		{Scheduled: true, Bound: 4, Running: 4},
		{Code: gang.Incomplete, Text: "lost one", Bound: 3, Running: 3},
	}
	for _, manifest := range manifests {
		for _, object := range readManifest(t, manifest) {
			if object.GetKind() == "Pod" {
				continue
			}
			kind := kindOf(t, object)
			for i, o := range outcomes {
				before := object.DeepCopy()
				kind.Declare(object)
				body := kind.Status(object, o, now)
				if diff := cmp.Diff(before.Object, object.Object); diff != "" {
					t.Fatalf("%s %s: the object was changed:\n%s", manifest, object.GetName(), diff)
				}
				if again := kind.Status(object, o, now); !bytes.Equal(body, again) {
					t.Errorf("%s %s: two patches for one outcome:\n%s\n%s", manifest, object.GetName(), body, again)
				}
				if body == nil {
					continue
				}
				var patch map[string]any
				if err := json.Unmarshal(body, &patch); err != nil {
					t.Fatal(err)
				}
				object.Object = merge(object.Object, patch).(map[string]any)
				if body := kind.Status(object, o, now.Add(time.Hour)); body != nil {
					t.Errorf("%s %s, outcome %d: not settled: %s", manifest, object.GetName(), i, body)
				}
			}
		}
	}
}

// merge applies a JSON merge patch, RFC 7396.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged := map[string]any{}
	if fields, ok := target.(map[string]any); ok {
		for name, value := range fields {
			merged[name] = value
		}
	}
	for name, value := range changes {
		if value == nil {
			delete(merged, name)
			continue
		}
		merged[name] = merge(merged[name], value)
	}
	return merged
}

// plainPods are pods as clusters are full of them.
func plainPods() []*corev1.Pod {
	controller := true
	return []*corev1.Pod{
		{},
		{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "web",
			Labels:          map[string]string{"app": "web", "pod-template-hash": "5d4", "tier": "front"},
			Annotations:     map[string]string{"prometheus.io/scrape": "true", "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5d4", Controller: &controller}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "train-1", Namespace: "ml",
			Labels:      map[string]string{"job-name": "train", "batch.kubernetes.io/job-completion-index": "1", "kueue.x-k8s.io/queue-name": "a"},
			Annotations: map[string]string{"batch.kubernetes.io/job-completion-index": "1"}}},
	}
}

func TestPlainPodsAllocateNothing(t *testing.T) {
	for i, pod := range plainPods() {
		n := testing.AllocsPerRun(100, func() {
			if _, ok := Of(pod); ok {
				t.Fatalf("pod %d is in a gang", i)
			}
			if DeclaredBy(pod) != nil {
				t.Fatalf("pod %d declares a gang", i)
			}
			Queue(pod.Labels, pod.Annotations)
		})
		if n != 0 {
			t.Errorf("pod %d: %v allocations, want none", i, n)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	pods := plainPods()
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Of(pods[1])
		}
	})
	gangPod := pods[2].DeepCopy()
	gangPod.Labels[schedulerPluginsGroupLabel] = "train"
	b.Run("gang", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Of(gangPod)
		}
	})
}
