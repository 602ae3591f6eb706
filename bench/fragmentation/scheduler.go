package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// scheduler places gangs by the cycles of a real scheduler.
type scheduler struct {
	*rig.Rig
	contestant contestant
	params     params
	client     *fake.Clientset
	// numbers are those of nodes, by name.
	numbers map[string]int
	// running are the gangs on nodes, by number.
	running map[int]*members

	// refused counts the pods that were refused in the last cycle; failed says that it is
	// broken.
	refused int
	failed  error
}

// members are the objects of a gang.
type members struct {
	rig.Gang
	bound []rig.Binding
}

func newScheduler(c contestant, p params) (*scheduler, error) {
	who, err := schedulers.New(c.scheduler, nil)
	if err != nil {
		return nil, err
	}
	r, err := rig.New(who)
	if err != nil {
		return nil, err
	}
	client, ok := r.Client.(*fake.Clientset)
	if !ok {
		r.Stop()
		return nil, fmt.Errorf("the client of the rig is a %T, and should be a fake", r.Client)
	}
	// The scheduler writes the condition of a group at the end of its cycle. Nobody reads it,
	// and to merge it into an object takes longer than many a cycle.
	client.PrependReactor("patch", "podgroups", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &schedulingv1beta1.PodGroup{}, nil
	})
	s := &scheduler{Rig: r, contestant: c, params: p, client: client, numbers: map[string]int{}, running: map[int]*members{}}
	s.OnFailure(func(pod *corev1.Pod, status *fwk.Status) {
		s.refused++
		if !status.IsRejected() {
			s.failed = fmt.Errorf("scheduling pod %q: %w", pod.Name, status.AsError())
		}
	})
	for i := range p.nodes() {
		s.numbers[rig.NodeName(i)] = i
		s.Sched.Cache.AddNode(klog.Background(), p.node(i))
	}
	return s, nil
}

// members makes the objects of a gang.
func (c contestant) members(p params, g gang) *members {
	m := &members{Gang: rig.NewGang(g.name(), g.size)}
	if key := c.required(p, g.size); key != "" {
		m.Group.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{
			Topology: []schedulingv1beta1.TopologyConstraint{{Key: key}},
		}
	}
	if key := c.preferred(); key != "" {
		m.Group.Annotations = map[string]string{gangtable.AnnotationPreferredTopology: key}
	}
	return m
}

// place has the scheduler look for the places of a gang, in one cycle.
func (s *scheduler) place(g gang) (placement, error) {
	m := s.contestant.members(s.params, g)
	s.QueueGang(m.Gang)
	before, err := rig.SearchTime()
	if err != nil {
		return placement{}, err
	}
	s.refused = 0
	s.Sched.ScheduleOne(s.Ctx)
	after, err := rig.SearchTime()
	switch {
	case err != nil:
		return placement{}, err
	case s.failed != nil:
		return placement{}, s.failed
	case s.refused == len(m.Pods):
		for _, p := range m.Pods {
			s.Sched.Cache.RemovePodGroupMember(p)
		}
		s.forget(m)
		return placement{}, nil
	case s.refused > 0:
		return placement{}, fmt.Errorf("%d of the %d pods of %s were refused", s.refused, len(m.Pods), g.name())
	}
	m.bound = s.Bound(g.size)
	nodes, err := s.nodesOf(g, m)
	if err != nil {
		return placement{}, err
	}
	s.running[g.number] = m
	return placement{Nodes: nodes, Took: after - before}, nil
}

// nodesOf returns the nodes of a gang's pods, in their order.
func (s *scheduler) nodesOf(g gang, m *members) ([]int, error) {
	if len(m.bound) != g.size {
		return nil, fmt.Errorf("%d pods were bound for %s, which has %d", len(m.bound), g.name(), g.size)
	}
	on := map[types.UID]string{}
	for _, b := range m.bound {
		on[b.Pod.UID] = b.Node
	}
	nodes := make([]int, g.size)
	for i, p := range m.Pods {
		n, ok := s.numbers[on[p.UID]]
		if !ok {
			return nil, fmt.Errorf("pod %q was bound to node %q, which there is not", p.Name, on[p.UID])
		}
		nodes[i] = n
	}
	return nodes, nil
}

// put has the scheduler know of a gang that was placed before.
func (s *scheduler) put(g gang, nodes []int) error {
	m := s.contestant.members(s.params, g)
	for i, p := range m.Pods {
		p.Spec.NodeName = rig.NodeName(nodes[i])
		if err := s.Sched.Cache.AssumePod(klog.Background(), p); err != nil {
			return fmt.Errorf("putting pod %q on node %q: %w", p.Name, p.Spec.NodeName, err)
		}
		m.bound = append(m.bound, rig.Binding{Pod: p, Node: p.Spec.NodeName})
	}
	s.AddGroup(m.Gang)
	s.running[g.number] = m
	return nil
}

// end takes a gang away.
func (s *scheduler) end(g gang) error {
	m := s.running[g.number]
	delete(s.running, g.number)
	for _, b := range m.bound {
		if err := s.Remove(b); err != nil {
			return err
		}
	}
	s.forget(m)
	return nil
}

// forget takes a group away that has no pods on nodes.
func (s *scheduler) forget(m *members) {
	for _, p := range m.Pods {
		s.Sched.SchedulingQueue.Delete(klog.Background(), p)
	}
	s.RemoveGroup(m.Gang)
	s.client.ClearActions() // it keeps all that it was ever asked for
}

func (s *scheduler) stop() { s.Stop() }
