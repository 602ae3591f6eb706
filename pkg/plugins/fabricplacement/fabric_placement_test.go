package fabricplacement

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/state/gangtable"
)

const (
	block = "topology.kubernetes.io/block"
	rack  = "topology.kubernetes.io/rack"
	row   = "example.com/row"
)

// planner says what it is told to say.
type planner struct {
	placements []*fwk.Placement
	status     *fwk.Status
	planned    bool
}

func (p *planner) Place(fwk.PodGroupInfo, *fwk.Placement) ([]*fwk.Placement, *fwk.Status, bool) {
	return p.placements, p.status, p.planned
}

func (p *planner) Order(placement *fwk.Placement) int {
	for i, one := range p.placements {
		if one == placement {
			return i
		}
	}
	return 0
}

// handle has the members of a group that run, and nothing else.
type handle struct {
	fwk.Handle
	fwk.SharedLister
	fwk.PodGroupState
	running []*corev1.Pod
	err     error
}

func (h *handle) SnapshotSharedLister() fwk.SharedLister     { return h }
func (h *handle) PodGroupStates() fwk.PodGroupStateLister    { return h }
func (h *handle) Get(_, _ string) (fwk.PodGroupState, error) { return h, h.err }
func (h *handle) ScheduledPods() []*corev1.Pod               { return h.running }

type labels = map[string]string

// nodes returns a placement of nodes n0, n1, .. with labels.
func nodes(all ...labels) *fwk.Placement {
	out := &fwk.Placement{Name: "all"}
	for i, l := range all {
		info := framework.NewNodeInfo()
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: l}})
		out.Nodes = append(out.Nodes, info)
	}
	return out
}

// group is a group that requires a level; "" for none.
func group(level string) fwk.PodGroupInfo {
	pg := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "g"}}
	if level != "" {
		pg.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{Topology: []schedulingv1beta1.TopologyConstraint{{Key: level}}}
	}
	return &framework.PodGroupInfo{Namespace: "ns", Name: "g", PodGroup: pg}
}

// said is what the plugin says, as text: each placement with its nodes, or a status.
func said(placements []*fwk.Placement, status *fwk.Status) []string {
	if !status.IsSuccess() {
		return []string{status.Code().String() + ": " + status.Message()}
	}
	out := []string{}
	for _, p := range placements {
		text := p.Name + ":"
		for _, n := range p.Nodes {
			text += " " + n.Node().Name
		}
		out = append(out, text)
	}
	return out
}

func TestWithoutAPlan(t *testing.T) {
	twoBlocks := nodes(
		labels{block: "b", rack: "1", row: "x"}, labels{block: "a", rack: "2"}, labels{block: "b", rack: "1", row: "w"},
		labels{block: "a", rack: "1", row: "x"}, labels{block: "b"}, labels{rack: "1"}, labels{},
	)
	for _, test := range []struct {
		name   string
		level  string
		nodes  *fwk.Placement
		runsOn []string
		want   []string
	}{
		{"no level is required", "", twoBlocks, nil, []string{"all: n0 n1 n2 n3 n4 n5 n6"}},
		{"racks of one name in two blocks are two", rack, twoBlocks, nil, []string{"1: n5", "a/1: n3", "a/2: n1", "b/1: n0 n2"}},
		{"blocks", block, twoBlocks, nil, []string{"a: n1 n3", "b: n0 n2 n4"}},
		{"a level that is in no known tree", row, twoBlocks, nil, []string{"w: n2", "x: n0 n3"}},
		{"beside members that run", rack, twoBlocks, []string{"n2", "n0"}, []string{"b/1: n0 n2"}},
		{"beside one in a rack of the same name", rack, twoBlocks, []string{"n3"}, []string{"a/1: n3"}},
		{"members run in two racks", rack, twoBlocks, []string{"n0", "n3"}, []string{"Unschedulable: pods of the gang run in no domain of topology.kubernetes.io/rack, or in several"}},
		{"but in one block", block, twoBlocks, []string{"n0", "n4"}, []string{"b: n0 n2 n4"}},
		{"one runs in no rack", rack, twoBlocks, []string{"n6"}, []string{"Unschedulable: pods of the gang run in no domain of topology.kubernetes.io/rack, or in several"}},
		{"the node of one is gone", rack, twoBlocks, []string{"gone", "n1"}, []string{"a/2: n1"}},
		{"no node has the label", rack, nodes(labels{block: "b"}), nil, []string{"Unschedulable: no node has the label topology.kubernetes.io/rack"}},
		{"no nodes", rack, nodes(), nil, []string{"Unschedulable: no node has the label topology.kubernetes.io/rack"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &handle{}
			for _, node := range test.runsOn {
				h.running = append(h.running, &corev1.Pod{Spec: corev1.PodSpec{NodeName: node}})
			}
			// What the planner says counts for nothing if it has made no plan.
			plugin := New(&planner{status: fwk.NewStatus(fwk.Unschedulable, "no")}, h)
			got, status := plugin.GeneratePlacements(t.Context(), nil, group(test.level), test.nodes)
			if diff := cmp.Diff(test.want, said(got.Placements, status)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	h := &handle{err: errors.New("no such group")}
	if _, status := New(&planner{}, h).GeneratePlacements(t.Context(), nil, group(rack), twoBlocks); status.Code() != fwk.Error || status.Message() != "no such group" {
		t.Errorf("without the state of the group: %v", status)
	}
	bare := &framework.PodGroupInfo{Namespace: "ns", Name: "g"}
	if got, status := New(&planner{}, h).GeneratePlacements(t.Context(), nil, bare, twoBlocks); !status.IsSuccess() || len(got.Placements) != 1 || got.Placements[0] != twoBlocks {
		t.Errorf("a group without its object: %v, %v", got.Placements, status)
	}
}

func TestPlan(t *testing.T) {
	all := nodes(labels{rack: "1"}, labels{rack: "2"})
	p := &planner{planned: true}
	for _, name := range []string{"2", "1", "3"} {
		p.placements = append(p.placements, &fwk.Placement{Name: name})
	}
	plugin := New(p, &handle{})
	got, status := plugin.GeneratePlacements(t.Context(), nil, group(rack), all)
	if diff := cmp.Diff([]string{"2:", "1:", "3:"}, said(got.Placements, status)); diff != "" {
		t.Errorf("placements, -want +got:\n%s", diff)
	}
	var scores []int64
	for _, placement := range got.Placements {
		score, status := plugin.ScorePlacement(t.Context(), nil, group(rack), &fwk.PodGroupAssignments{Placement: placement})
		if !status.IsSuccess() {
			t.Fatal(status)
		}
		scores = append(scores, score)
	}
	if diff := cmp.Diff([]int64{100, 90, 80}, scores); diff != "" {
		t.Errorf("scores, -want +got:\n%s", diff)
	}
	if plugin.PlacementScoreExtensions() != nil {
		t.Error("scores are of 100, and would be normalised")
	}

	p.placements, p.status = nil, fwk.NewStatus(fwk.Unschedulable, "no rack holds it")
	got, status = plugin.GeneratePlacements(t.Context(), nil, group(rack), all)
	if diff := cmp.Diff([]string{"Unschedulable: no rack holds it"}, said(got.Placements, status)); diff != "" {
		t.Errorf("a gang without a place, -want +got:\n%s", diff)
	}
}

// A placement far down the order has a score that the framework takes.
func TestLowestScore(t *testing.T) {
	p := &planner{planned: true}
	for range 15 {
		p.placements = append(p.placements, &fwk.Placement{})
	}
	score, _ := New(p, &handle{}).ScorePlacement(t.Context(), nil, group(rack), &fwk.PodGroupAssignments{Placement: p.placements[14]})
	if score != 0 {
		t.Errorf("score %d, want 0", score)
	}
}

// What may give a gang a place has it tried again, and nothing else.
func TestEvents(t *testing.T) {
	events, err := New(&planner{}, &handle{}).EventsToRegister(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		what   fwk.EventResource
		action fwk.ActionType
		want   bool
	}{
		{"a node comes", fwk.Node, fwk.Add, true},
		{"a node has more", fwk.Node, fwk.UpdateNodeAllocatable, true},
		{"a node is moved", fwk.Node, fwk.UpdateNodeLabel, true},
		{"a taint is lifted", fwk.Node, fwk.UpdateNodeTaint, true},
		{"a pod ends", fwk.AssignedPod, fwk.Delete, true},
		{"a pod takes less", fwk.AssignedPod, fwk.UpdatePodScaleDown, true},
		{"a gang asks for something else", fwk.PodGroup, fwk.Update, true},
		{"a pod is bound", fwk.AssignedPod, fwk.Add, false},
		{"a pod takes more", fwk.AssignedPod, fwk.UpdatePodScaleUp, false},
		{"a node goes", fwk.Node, fwk.Delete, false},
	} {
		got := false
		for _, e := range events {
			got = got || e.Event.Resource == test.what && e.Event.ActionType&test.action != 0
		}
		if got != test.want {
			t.Errorf("%s: has the gang tried again: %t, want %t", test.name, got, test.want)
		}
	}
}

func TestGroupThatChanges(t *testing.T) {
	type change = func(*schedulingv1beta1.PodGroup)
	asks := func(level string, size int32) *schedulingv1beta1.PodGroup {
		pg := group(level).GetPodGroup()
		pg.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: size}
		return pg
	}
	name := "g"
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}, Spec: corev1.PodSpec{SchedulingGroup: &corev1.PodSchedulingGroup{PodGroupName: &name}}}
	for _, test := range []struct {
		name   string
		change change
		want   fwk.QueueingHint
	}{
		{"another level", func(pg *schedulingv1beta1.PodGroup) { pg.Spec = asks(block, 4).Spec }, fwk.Queue},
		{"no level", func(pg *schedulingv1beta1.PodGroup) { pg.Spec.SchedulingConstraints = nil }, fwk.Queue},
		{"another preference", func(pg *schedulingv1beta1.PodGroup) {
			metav1.SetMetaDataAnnotation(&pg.ObjectMeta, gangtable.AnnotationPreferredTopology, rack)
		}, fwk.Queue},
		{"fewer pods", func(pg *schedulingv1beta1.PodGroup) { pg.Spec.SchedulingPolicy.Gang.MinCount = 3 }, fwk.Queue},
		{"no gang any more", func(pg *schedulingv1beta1.PodGroup) { pg.Spec.SchedulingPolicy.Gang = nil }, fwk.Queue},
		{"more pods", func(pg *schedulingv1beta1.PodGroup) { pg.Spec.SchedulingPolicy.Gang.MinCount = 5 }, fwk.QueueSkip},
		{"a condition", func(pg *schedulingv1beta1.PodGroup) { pg.Status.Conditions = []metav1.Condition{{Type: "c"}} }, fwk.QueueSkip},
		{"a group of another name", func(pg *schedulingv1beta1.PodGroup) { pg.Name, pg.Spec = "h", asks(block, 1).Spec }, fwk.QueueSkip},
		{"a group of another namespace", func(pg *schedulingv1beta1.PodGroup) { pg.Namespace, pg.Spec = "other", asks(block, 1).Spec }, fwk.QueueSkip},
	} {
		now := asks(rack, 4)
		test.change(now)
		if got, err := asksForLess(klog.Background(), pod, asks(rack, 4), now); err != nil || got != test.want {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	if got, _ := asksForLess(klog.Background(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}, asks(rack, 4), asks(block, 4)); got != fwk.QueueSkip {
		t.Errorf("a pod without a group: %v", got)
	}
	if got, _ := asksForLess(klog.Background(), pod, nil, asks(rack, 4)); got != fwk.Queue {
		t.Errorf("what is not known: %v, want it queued", got)
	}
}
