package podgroups

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// dialectPods reads the pods among the manifests of package dialect's tests.
func dialectPods(t *testing.T) map[string]*corev1.Pod {
	t.Helper()
	files, err := filepath.Glob("../../dialect/testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding the manifests of the dialects: %v", err)
	}
	out := map[string]*corev1.Pod{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(body), 4096)
		for i := 0; ; i++ {
			pod := &corev1.Pod{}
			if err := decoder.Decode(pod); errors.Is(err, io.EOF) {
				break
			} else if err != nil || pod.Kind != "Pod" {
				continue
			}
			pod.Spec.SchedulerName = "berth"
			out[fmt.Sprintf("%s/%d-%s", filepath.Base(filepath.Dir(file)), i, pod.Name)] = pod
		}
	}
	return out
}

// A transform may meet a pod twice, and what is kept of gangs reads the pod once
// more: each look finds the same gang.
func TestGroupTransformTwice(t *testing.T) {
	pods := dialectPods(t)
	group := "native-group"
	for name, labels := range map[string]map[string]string{
		"native":                     nil,
		"native and berth":           {"berth.dev/gang": "g"},
		"native and foreign":         {"scheduling.x-k8s.io/pod-group": "g"},
		"native and itself":          {"berth.dev/gang": group},
		"native and two foreign":     {"berth.dev/gang": "g", "scheduling.x-k8s.io/pod-group": "h"},
		"two foreign and not native": {"berth.dev/gang": "g", "scheduling.x-k8s.io/pod-group": "h"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Labels: labels}, Spec: corev1.PodSpec{SchedulerName: "berth"}}
		if name != "two foreign and not native" {
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		pods[name] = pod
	}
	transform := Transform(enginetest.Ours)
	look := func(pod *corev1.Pod) *corev1.Pod {
		t.Helper()
		obj, err := transform(pod.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		return obj.(*corev1.Pod)
	}
	gangs := 0
	for name, pod := range pods {
		t.Run(name, func(t *testing.T) {
			before, member := dialect.Of(pod)
			once := look(pod)
			twice := look(once)
			if diff := cmp.Diff(once, twice); diff != "" {
				t.Errorf("the second look changes the pod (-once +twice):\n%s", diff)
			}
			after, still := dialect.Of(once)
			if member != still {
				t.Fatalf("in a gang: %v before, %v after", member, still)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the second look finds another gang (-before +after):\n%s", diff)
			}
			want := ""
			if member {
				gangs++
				want = before.Key.GroupName()
				if len(pod.Spec.SchedulingGates) > 0 && pod.Spec.NodeName == "" {
					want = before.Key.AsideName()
				}
			}
			if got := workload.PodGroup(once); got != want {
				t.Errorf("the group is %q, want %q", got, want)
			}
		})
	}
	if gangs < 20 {
		t.Errorf("only %d pods are in gangs: the manifests were not found", gangs)
	}
}

func TestGroupTransformLeavesOthersAlone(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"berth.dev/gang": "g"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}}}, Spec: corev1.PodSpec{SchedulerName: "other"}}
	obj, err := Transform(enginetest.Ours)(pod)
	if err != nil {
		t.Fatal(err)
	}
	if got := obj.(*corev1.Pod); workload.PodGroup(got) != "" || got.ManagedFields != nil {
		t.Errorf("group %q, managed fields %v; want neither", workload.PodGroup(got), got.ManagedFields)
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "ns/p", Obj: pod}
	if got, err := Transform(enginetest.Ours)(tombstone); err != nil || got != any(tombstone) {
		t.Errorf("a tombstone became %v (%v)", got, err)
	}
}

// calls is a pod handler and a pod feed that share one log.
type calls struct{ log []string }

func (c *calls) OnAdd(obj any, _ bool) { c.add("add", obj.(*corev1.Pod)) }
func (c *calls) OnUpdate(_, obj any)   { c.add("update", obj.(*corev1.Pod)) }
func (c *calls) OnDelete(obj any) {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	c.add("delete", obj.(*corev1.Pod))
}
func (c *calls) SetPod(pod *corev1.Pod)    { c.add("feed", pod) }
func (c *calls) DeletePod(pod *corev1.Pod) { c.add("unfeed", pod) }
func (c *calls) add(what string, pod *corev1.Pod) {
	c.log = append(c.log, fmt.Sprintf("%s %s %q", what, pod.UID, workload.PodGroup(pod)))
}

func TestRegroupingHandler(t *testing.T) {
	grouped := func(uid types.UID, group string) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: uid}}
		if group != "" {
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		return pod
	}
	for _, c := range []struct {
		name string
		do   func(cache.ResourceEventHandler)
		want []string
	}{
		{"added", func(h cache.ResourceEventHandler) { h.OnAdd(grouped("1", "g"), true) }, []string{`add 1 "g"`, `feed 1 "g"`}},
		{"changed", func(h cache.ResourceEventHandler) { h.OnUpdate(grouped("1", "g"), grouped("1", "g")) }, []string{`update 1 "g"`, `feed 1 "g"`}},
		{"regrouped", func(h cache.ResourceEventHandler) { h.OnUpdate(grouped("1", "g"), grouped("1", "h")) },
			[]string{`delete 1 "g"`, `add 1 "h"`, `feed 1 "h"`}},
		{"no longer grouped", func(h cache.ResourceEventHandler) { h.OnUpdate(grouped("1", "g"), grouped("1", "")) },
			[]string{`delete 1 "g"`, `add 1 ""`, `feed 1 ""`}},
		{"another pod of the name", func(h cache.ResourceEventHandler) { h.OnUpdate(grouped("1", "g"), grouped("2", "g")) },
			[]string{`delete 1 "g"`, `add 2 "g"`, `unfeed 1 "g"`, `feed 2 "g"`}},
		{"deleted", func(h cache.ResourceEventHandler) { h.OnDelete(grouped("1", "g")) }, []string{`delete 1 "g"`, `unfeed 1 "g"`}},
		{"deleted unseen", func(h cache.ResourceEventHandler) {
			h.OnDelete(cache.DeletedFinalStateUnknown{Key: "ns/p", Obj: grouped("1", "g")})
		}, []string{`delete 1 "g"`, `unfeed 1 "g"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := &calls{}
			c.do(regroupingHandler{got, got})
			if diff := cmp.Diff(c.want, got.log); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
