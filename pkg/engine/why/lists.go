package why

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Gangs returns gangs and plain pods.
func (s *Source) Gangs(_ context.Context, query insight.GangQuery) (*insight.Gangs, error) {
	if !s.Leads() {
		return nil, insight.ErrNotLeading
	}
	out := &insight.Gangs{Head: s.head(), Gangs: []insight.Gang{}}
	for _, g := range s.list() {
		if (query.Namespace == "" || g.Namespace == query.Namespace) && (query.Queue == "" || g.Queue == query.Queue) && (query.State == "" || g.State == query.State) {
			out.Gangs = append(out.Gangs, g)
		}
	}
	if len(out.Gangs) == 0 && query.Queue != "" {
		if err := s.knowQueue(query.Queue); err != nil {
			return nil, err
		}
	}
	if query.Limit > 0 && len(out.Gangs) > query.Limit {
		out.LeftOut = len(out.Gangs) - query.Limit
		out.Gangs = out.Gangs[:query.Limit]
	}
	return out, nil
}

// knowQueue fails if there is no queue of a name, and says which there are.
func (s *Source) knowQueue(name string) error {
	var names []string
	for _, r := range s.report() {
		if r.Name == name {
			return nil
		}
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: there is no queue %q, and no other", insight.ErrNotFound, name)
	}
	slices.Sort(names)
	return fmt.Errorf("%w: there is no queue %q; there are %s", insight.ErrNotFound, name, some(names))
}

// listFresh is for how long what is said of gangs and of queues is good.
const listFresh = time.Second

// list lists all gangs and plain pods, of a moment ago at most.
func (s *Source) list() []insight.Gang {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Clock.Now(); !s.listed.IsZero() && now.Sub(s.listed) < listFresh && !now.Before(s.listed) {
		return s.gangs
	}
	var out []insight.Gang
	for _, key := range s.Parts.Gangs.Keys() {
		if of := s.ofGang(key); of != nil {
			out = append(out, s.gang(of))
		}
	}
	pods, _ := s.Pods.List(labels.Everything()) // a lister of an informer does not fail
	for _, pod := range pods {
		if s.Ours(pod.Spec.SchedulerName) && workload.GangGroup(pod) == "" && pod.DeletionTimestamp == nil {
			out = append(out, s.gang(s.plain(pod)))
		}
	}
	slices.SortFunc(out, func(a, b insight.Gang) int {
		return cmp.Or(strings.Compare(a.State, b.State), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	s.gangs, s.listed = out, s.Clock.Now()
	return out
}

// report says what queues use, of a moment ago at most: however many ask, queues are held for
// it once a second.
func (s *Source) report() []queueing.QueueReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Clock.Now(); s.counted.IsZero() || now.Sub(s.counted) >= listFresh || now.Before(s.counted) {
		s.reports, s.counted = s.Parts.Queues.Report(), now
	}
	return s.reports
}

// Queues returns the tree of queues, parents before their children.
func (s *Source) Queues(context.Context) (*insight.Queues, error) {
	if !s.Leads() {
		return nil, insight.ErrNotLeading
	}
	children := map[string][]queueing.QueueReport{}
	for _, r := range s.report() {
		children[r.Parent] = append(children[r.Parent], r)
	}
	out := &insight.Queues{Head: s.head(), Queues: []insight.Queue{}}
	var add func(parent string)
	add = func(parent string) {
		of := children[parent]
		slices.SortFunc(of, func(a, b queueing.QueueReport) int { return strings.Compare(a.Name, b.Name) })
		for i := range of {
			out.Queues = append(out.Queues, queueOf(&of[i]))
			add(of[i].Name)
		}
	}
	add(quota.Root)
	return out, nil
}

func queueOf(r *queueing.QueueReport) insight.Queue {
	q := insight.Queue{Name: r.Name, Parent: r.Parent, Depth: r.Depth, Pending: r.Pending, Running: r.Running, Refused: r.Refused, Resources: []insight.QueueResource{}}
	if r.Fault != nil {
		q.Fault = r.Fault.Text
	}
	for _, a := range r.Resources {
		one := insight.QueueResource{Resource: a.Resource, Used: int64(a.Used), Asked: int64(a.Asked), Guaranteed: int64(a.Guaranteed), Share: int64(a.Share), Borrowed: max(0, int64(a.Used-a.Guaranteed))}
		if a.Limit < quota.Most {
			limit := int64(a.Limit)
			one.Limit = &limit
		}
		q.Resources = append(q.Resources, one)
	}
	if h := r.Head; h != nil {
		q.Next = &insight.QueueNext{Gang: workload.Shown(h.Gang), Position: h.Position, Reason: h.Code, Sentence: h.Text, Created: h.Arrived.UTC().Truncate(time.Second)}
	}
	return q
}

// Top returns how full the domains of a level are.
func (s *Source) Top(_ context.Context, level string, perNode bool) (*insight.Top, error) {
	if !s.Leads() {
		return nil, insight.ErrNotLeading
	}
	profile := s.Fast.Profile()
	out := &insight.Top{Head: s.head(), Domains: []insight.TopDomain{}}
	var unknown error
	err := s.pictures.with(profile, []string{level}, func(p *picture) {
		f := p.cluster.Planner.Fabric
		at := fabric.NoLevel
		for l := range fabric.Level(f.Levels()) {
			if len(f.Of(l)) == 0 {
				continue
			}
			out.Levels = append(out.Levels, f.Key(l))
			// The narrowest that most clusters have is the last of the first tree.
			if level == "" && (at == fabric.NoLevel || f.SameTree(at, l)) || level == f.Key(l) {
				at = l
			}
		}
		if level != "" && at == fabric.NoLevel {
			unknown = fmt.Errorf("%w: no node has label %q; the levels are %s", insight.ErrInvalid, level, strings.Join(out.Levels, ", "))
			return
		}
		if at != fabric.NoLevel {
			out.Level = f.Key(at)
		}
		out.Domains = p.domains(at, perNode)
	})
	if err == nil {
		err = unknown
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// domains returns what the domains of a level have free.
func (p *picture) domains(at fabric.Level, perNode bool) []insight.TopDomain {
	planner := p.cluster.Planner
	byDomain := map[pack.DomainID]*insight.TopDomain{}
	for i, node := range p.nodes {
		id := pack.NodeID(i)
		in := fabric.NoDomain
		if at != fabric.NoLevel {
			in = planner.Fabric.At(id, at)
		}
		d := byDomain[in]
		if d == nil {
			d = &insight.TopDomain{}
			if in != fabric.NoDomain {
				d.Name = planner.Fabric.Domain(in).Name
			}
			byDomain[in] = d
		}
		free, _ := planner.Index.Free(id)
		whole := p.cluster.Whole[i]
		one := insight.TopNode{Name: node.Name, Devices: int64(whole.Devices), Free: max(0, min(int64(free.Devices), int64(whole.Devices))), Closed: Closed(node)}
		d.Nodes++
		if d.Device == "" {
			d.Device = p.snapshot.Nodes[i].Device
		}
		d.Devices += one.Devices
		switch {
		case one.Closed:
			d.Closed++
		default:
			d.Free += one.Free
			if one.Devices > 0 && one.Free == one.Devices {
				d.Idle++
			}
		}
		if perNode {
			d.PerNode = append(d.PerNode, one)
		}
	}
	out := make([]insight.TopDomain, 0, len(byDomain))
	for _, d := range byDomain {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b insight.TopDomain) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Closed reports whether a node is cordoned or not ready.
func Closed(node *corev1.Node) bool {
	if node.Spec.Unschedulable {
		return true
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status != corev1.ConditionTrue
		}
	}
	return false
}
