package why

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/remedy"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// mostFresh is for how long a picture is good. For as long after that, answers still rest on
	// it while the next one is made.
	mostFresh = 2 * time.Second
	// pictureShare has pictures be made at most one part in so many of the time.
	pictureShare = 10
)

// picture is what runs where, at one moment, for pods of one profile.
type picture struct {
	// at is when it was made, renewed from when on the next one is made as soon as somebody asks,
	// and until up to when answers rest on it.
	at, renewed, until time.Time

	profile  string
	levels   []string
	cluster  remedy.Cluster
	snapshot *cluster.Snapshot
	devices  *device.Kinds
	nodes    []*corev1.Node
	numbers  map[string]pack.NodeID
	// running are those that have places, by name.
	running map[string]*runs
}

// runs is a gang, or plain pod, that has places.
type runs struct {
	pods []*corev1.Pod
	ends remedy.Instant
}

// pictures makes them, and lets one question at a time be asked of the last.
type pictures struct {
	source *Source

	mu   sync.Mutex
	last *picture
	// renewing says that the next one is being made.
	renewing bool
}

// with calls ask with a picture for pods of a profile that has some levels. Nobody else has
// it meanwhile.
func (p *pictures) with(profile string, levels []string, ask func(*picture)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.source.Clock.Now()
	// Whoever makes a pod, or asks, may name any level: one that no node has costs nothing.
	missing := func(l *picture) bool {
		return slices.ContainsFunc(levels, func(key string) bool { return !slices.Contains(l.levels, key) && labelled(l.nodes, key) })
	}
	switch l := p.last; {
	case l == nil || !now.Before(l.until) || l.profile != profile || missing(l):
		if l != nil {
			levels = slices.Concat(l.levels, levels)
		}
		made, err := p.make(profile, levels, 2)
		if err != nil {
			return err
		}
		p.last = made
	case !now.Before(l.renewed) && !p.renewing:
		p.renewing = true
		go p.renew(l)
	}
	ask(p.last)
	return nil
}

// renew makes the picture that comes after one, while answers rest on that.
func (p *pictures) renew(last *picture) {
	// Nobody waits for it, so it leaves processors to those who answer. An error is told to
	// whoever asks when the last one is too old.
	made, err := p.make(last.profile, last.levels, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renewing = false
	if err == nil && p.last == last {
		p.last = made
	}
}

// make makes a picture of what the informers have now, by so many goroutines.
func (p *pictures) make(profile string, levels []string, goroutines int) (*picture, error) {
	now := p.source.Clock.Now()
	made, err := p.source.picture(profile, levels, goroutines)
	if err != nil {
		return nil, err
	}
	made.at, made.renewed = now, now.Add(max(mostFresh, pictureShare*p.source.Clock.Since(now)))
	made.until = made.renewed.Add(mostFresh)
	return made, nil
}

// picture makes a picture of what the informers have, by so many goroutines: there is work for
// two.
func (s *Source) picture(profile string, levels []string, goroutines int) (*picture, error) {
	settings, known := s.Fast.Settings(profile)
	if !known {
		return nil, fmt.Errorf("profile %q does not have the plugin NodePacking, so it is not known how its pods are placed", profile)
	}
	nodes, _ := s.Nodes.List(labels.Everything()) // listers of informers do not fail
	pods, _ := s.Pods.List(labels.Everything())
	nodes = slices.SortedFunc(slices.Values(nodes), func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	levels = slices.Compact(slices.Sorted(slices.Values(levels)))
	levels = slices.DeleteFunc(levels, func(key string) bool { return !labelled(nodes, key) })
	settings.Levels = levels
	devices, err := device.NewKinds(settings.Devices)
	if err != nil {
		return nil, err
	}
	p := &picture{profile: profile, levels: levels, devices: devices, nodes: nodes, numbers: map[string]pack.NodeID{}, running: map[string]*runs{}}
	for i, node := range nodes {
		p.numbers[node.Name] = pack.NodeID(i)
	}
	bound, staying := []*corev1.Pod{}, []*corev1.Pod{}
	for _, pod := range pods {
		if _, there := p.numbers[pod.Spec.NodeName]; !there || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		bound = append(bound, pod)
		if stays(pod) {
			staying = append(staying, pod)
		}
	}
	topologies := s.Topologies()
	var inventory *device.Inventory
	var whole plan.Planner
	var both errgroup.Group
	both.SetLimit(goroutines)
	both.Go(func() (err error) {
		if p.snapshot, inventory, err = nodeindex.Survey(nodeindex.Objects{Nodes: nodes, Pods: bound, Topologies: topologies}, settings, s.Requests); err != nil {
			return err
		}
		p.cluster.Planner, err = p.snapshot.Planner()
		return err
	})
	// The same nodes with nothing on them but what stays.
	both.Go(func() error {
		empty, err := nodeindex.SnapshotOf(nodeindex.Objects{Nodes: nodes, Pods: staying, Topologies: unallocated(topologies)}, settings, s.Requests)
		if err != nil {
			return err
		}
		whole, err = empty.Planner()
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	for i := range nodes {
		free, _ := whole.Index.Free(pack.NodeID(i))
		p.cluster.Whole = append(p.cluster.Whole, free)
		p.cluster.Labels = append(p.cluster.Labels, p.snapshot.Nodes[i].Labels)
	}
	s.addRunning(p, bound, inventory)
	p.cluster.Now = instant(s.Clock.Now())
	return p, nil
}

// labelled reports whether a node has a label of a key.
func labelled(nodes []*corev1.Node, key string) bool {
	return slices.ContainsFunc(nodes, func(n *corev1.Node) bool { _, has := n.Labels[key]; return has })
}

// addRunning adds what runs to a picture, and what is kept for others.
func (s *Source) addRunning(p *picture, bound []*corev1.Pod, inventory *device.Inventory) {
	for _, pod := range bound {
		if stays(pod) {
			continue
		}
		name := pod.Namespace + "/" + pod.Name + " (pod)"
		if s.Ours(pod.Spec.SchedulerName) {
			name = workload.NameOf(pod)
		}
		one := p.running[name]
		if one == nil {
			one = &runs{}
			p.running[name] = one
		}
		one.pods = append(one.pods, pod)
	}
	for _, name := range slices.Sorted(maps.Keys(p.running)) {
		one := p.running[name]
		g := remedy.Gang{Name: name}
		one.ends = endOf(one.pods)
		g.Ends = one.ends
		for _, pod := range one.pods {
			m := remedy.Member{Node: p.numbers[pod.Spec.NodeName], Request: p.devices.RequestOfList(s.Requests(pod))}
			if m.Request.Devices > 0 {
				m.Held = inventory.Held(pod.UID)
			}
			g.Members = append(g.Members, m)
		}
		p.cluster.Running = append(p.cluster.Running, g)
	}
}

// keep takes the room that is kept for others than one who asks, until what it returns is
// called.
func (s *Source) keep(p *picture, asks string) (undo func()) {
	n := len(p.cluster.Running)
	var taken []pack.Undo
	kept := s.Fast.Kept()
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if name == asks {
			continue
		}
		g := remedy.Gang{Name: name, Kept: true}
		for _, node := range slices.Sorted(maps.Keys(kept[name])) {
			id, known := p.numbers[node]
			if !known {
				continue
			}
			request := kept[name][node]
			one := p.cluster.Planner.Index.Take(id, request)
			taken = append(taken, one)
			g.Members = append(g.Members, remedy.Member{Node: id, Request: request, Held: one.Devices})
		}
		p.cluster.Running = append(p.cluster.Running, g)
	}
	return func() {
		for _, one := range slices.Backward(taken) {
			p.cluster.Planner.Index.Revert(one)
		}
		p.cluster.Running = p.cluster.Running[:n]
	}
}

// stays reports whether a pod belongs to its node, and does not end for anybody.
func stays(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node")
}

// unallocated are NodeTopologies of nodes on which nobody holds anything.
func unallocated(all []*v1alpha1.NodeTopology) []*v1alpha1.NodeTopology {
	out := make([]*v1alpha1.NodeTopology, len(all))
	for i, t := range all {
		bare := *t
		bare.Status.Allocations = nil
		out[i] = &bare
	}
	return out
}

// endOf returns when the last of some pods ends: those that may run for so long, and no longer,
// and those that leave.
func endOf(pods []*corev1.Pod) remedy.Instant {
	last := remedy.Unknown
	for _, pod := range pods {
		switch limit := pod.Spec.ActiveDeadlineSeconds; {
		case pod.DeletionTimestamp != nil:
			last = max(last, instant(pod.DeletionTimestamp.Time))
		case limit != nil && pod.Status.StartTime != nil:
			last = max(last, instant(pod.Status.StartTime.Add(time.Duration(*limit)*time.Second)))
		default:
			return remedy.Unknown
		}
	}
	return last
}

func instant(at time.Time) remedy.Instant { return remedy.Instant(at.Unix()) }

// moment is the instant as a time; nil if it is unknown.
func moment(i remedy.Instant) *time.Time {
	if i == remedy.Unknown {
		return nil
	}
	at := time.Unix(int64(i), 0).UTC()
	return &at
}

// nodeOf returns the number of a pod's node.
func (p *picture) nodeOf(pod *corev1.Pod) (pack.NodeID, bool) {
	id, known := p.numbers[pod.Spec.NodeName]
	return id, known
}

// nodeName returns the name of a node by its number.
func (p *picture) nodeName(id pack.NodeID) string {
	if id == plan.NoNode {
		return ""
	}
	return p.nodes[id].Name
}
