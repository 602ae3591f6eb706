package device

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Devices that fall ill under pods are told once, and nobody else gets them.
func TestDevicesFallIllUnderPods(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	var told []string
	v.OnIllness(func(all []Illness) {
		for _, i := range all {
			told = append(told, fmt.Sprintf("%s on %s: %d", i.Pod.Name, i.Node, len(i.Devices)))
		}
	})
	expectTold := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		told = nil
	}
	for name, devices := range map[string][]int{"a": {0, 1}, "b": {2, 3}} {
		pod := annotated(devicePod(name, "n", asking("c", "nvidia.com/gpu", 2)), map[string][]string{"c": uuids(object, devices...)})
		v.SetPod(pod)
	}
	ill := func(numbers ...int) *v1alpha1.NodeTopology {
		out := object.DeepCopy()
		out.Status.Unhealthy = nil
		for _, uuid := range uuids(object, numbers...) {
			out.Status.Unhealthy = append(out.Status.Unhealthy, v1alpha1.UnhealthyDevice{UUID: uuid})
		}
		return out
	}
	v.SetTopology(ill(7))
	expectTold()
	v.SetTopology(ill(1, 7))
	expectTold("a on n: 1")
	v.SetTopology(ill(1, 7))
	expectTold()
	v.SetTopology(ill(0, 1, 2, 7))
	expectTold("a on n: 1", "b on n: 1")
	expect(t, v, object, map[string][]int{"a": {0, 1}, "b": {2, 3}, "free": {4, 5, 6}})
	// Well again, and ill again.
	v.SetTopology(ill())
	v.SetTopology(ill(3))
	expectTold("b on n: 1")
	// Who starts anew tells nobody of what was so before.
	again, _ := rig(t, topology.Scheduler)
	again.OnIllness(func([]Illness) { t.Error("told of what was so before") })
	again.DeleteTopology("n")
	again.SetTopology(ill(0, 1))
}
