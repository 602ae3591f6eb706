package fastpath

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"

	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

const (
	testBlock = "topology.kubernetes.io/block"
	testRack  = "topology.kubernetes.io/rack"
)

// fromObjects is a snapshot of what the API server has.
func (r *rig) fromObjects(settings nodeindex.Settings) *cluster.Snapshot {
	r.t.Helper()
	objects := nodeindex.Objects{Topologies: r.topologies}
	for _, node := range r.nodes.List() {
		objects.Nodes = append(objects.Nodes, node.(*corev1.Node))
	}
	for _, pod := range r.pods.List() {
		objects.Pods = append(objects.Pods, pod.(*corev1.Pod))
	}
	s, err := nodeindex.SnapshotOf(objects, settings, func(pod *corev1.Pod) corev1.ResourceList {
		return resource.PodRequests(pod, resource.PodResourcesOptions{UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true})
	})
	r.must(err)
	return s
}

// sameSnapshot fails the test if the path does not know what the objects say.
func (r *rig) sameSnapshot(when string, settings nodeindex.Settings) *cluster.Snapshot {
	r.t.Helper()
	got, err := r.path.Snapshot("")
	r.must(err)
	want := r.fromObjects(settings)
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("%s: -objects +path:\n%s", when, diff)
	}
	return got
}

func TestSnapshotIsWhatTheObjectsSay(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 3))
		var matrices []string
		for range 16 {
			matrices = append(matrices, []string{"dgx1-v100", "hgx-h100", "pcie-8x4090", ""}[random.IntN(4)])
		}
		settings := nodeindex.Settings{Policy: pack.Policy{CPU: 1, Memory: 1}, Devices: device.DefaultNames(), Sizes: topology.DefaultSizes()}
		args := ""
		if seed%2 == 1 {
			args, settings.Policy.Spread = `{"policy":"Spread","weights":{"cpu":3}}`, true
			settings.Policy.CPU = 3
		}
		r := deviceRig(t, args, matrices...)
		for i, object := range r.nodes.List() {
			node := object.(*corev1.Node).DeepCopy()
			node.Labels[testBlock], node.Labels[testRack] = "b", fmt.Sprint("r", i/4)
			node.Spec.Unschedulable = i%5 == 0
			r.addNode(node)
		}
		r.sameSnapshot("before any cycle", settings)
		var bound []*corev1.Pod
		for step := range 60 {
			pod := testPod(fmt.Sprint("p", step), int64(random.IntN(6)), 1, 1)
			if len(bound) > 0 && random.IntN(3) == 0 {
				r.remove(bound[0])
				bound = bound[1:]
			} else if node, fit := r.place(pod); fit == nil {
				bound = append(bound, r.give(pod, node))
			}
			if random.IntN(4) == 0 {
				r.begin()
			}
			if step%10 == 0 {
				r.sameSnapshot(fmt.Sprint("seed ", seed, ", step ", step), settings)
			}
		}
		node, _, _ := r.nodes.GetByKey(nodeName(3))
		r.removeNode(node.(*corev1.Node))
		r.sameSnapshot("without a node", settings)
		r.begin()
		snapshot := r.sameSnapshot("after a cycle", settings)
		r.samePlans(snapshot)

		// A gang that is tried is not in it.
		r.path.Touched(nodeName(1))
		id, _ := r.path.index.ID(nodeName(1))
		r.path.index.Pack().Take(id, pack.Amounts{CPU: 1, Pods: 1})
		r.sameSnapshot("while a gang is tried", settings)
	}
}

// samePlans fails the test if a plan by the snapshot is another than one by the index.
func (r *rig) samePlans(s *cluster.Snapshot) {
	r.t.Helper()
	var file bytes.Buffer
	r.must(s.Write(&file))
	read, err := cluster.Read(&file)
	r.must(err)
	replay, err := read.Planner()
	r.must(err)
	live := plan.Planner{Index: r.path.index.Pack(), Fabric: r.path.index.Fabric(), Ranking: r.path.profiles[testName].ranking}
	planned := 0
	for size := 1; size <= 8; size++ {
		for _, level := range []string{"", testRack, testBlock} {
			names := func(p plan.Planner) []string {
				request := plan.Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: size}
				if level != "" {
					request.Required = p.Fabric.LevelOf(level)
				}
				for rank := range size {
					request.Pods = append(request.Pods, plan.Pod{Rank: rank, Request: pack.Amounts{Kind: s.KindOf("nvidia.com/gpu"), Devices: int32(1 + size%4), CPU: 1000, Pods: 1}})
				}
				result := p.Plan(request)
				if len(result.Candidates) == 0 {
					return []string{result.Reason.Sentence(p.Fabric, size)}
				}
				planned++
				out := []string{p.Fabric.Domain(result.Candidates[0].Domain).Path}
				for _, a := range result.Candidates[0].Assignments {
					out = append(out, fmt.Sprint(p.Fabric.NodeName(a.Node), slices.Collect(a.Devices.Each())))
				}
				return out
			}
			if diff := cmp.Diff(names(live), names(replay)); diff != "" {
				r.t.Errorf("a gang of %d at %q: -live +replayed:\n%s", size, level, diff)
			}
		}
	}
	if planned < 10 {
		r.t.Errorf("only %d plans were made", planned)
	}
}

func TestSnapshotOfProfile(t *testing.T) {
	r := newRig(t, "")
	if _, err := r.path.Snapshot("other"); err == nil || !strings.Contains(err.Error(), `profile "other" has not the plugin NodePacking, or there is no such profile; those that have are berth`) {
		t.Errorf("of another profile: %v", err)
	}
	if _, err := New().Snapshot(""); err == nil || !strings.Contains(err.Error(), "no profile has the plugin NodePacking") {
		t.Errorf("without an index: %v", err)
	}
	if s, err := r.path.Snapshot(testName); err != nil || len(s.Nodes) != 0 {
		t.Errorf("of an empty cluster: %+v, %v", s, err)
	}
}
