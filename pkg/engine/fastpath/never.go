package fastpath

import (
	"fmt"

	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostNever is how many judgements are remembered.
const mostNever = 4096

// impossible remembers which gangs not even the empty cluster could hold: by what they
// ask for, as long as nodes stay as they are.
type impossible struct {
	version int64
	// why is the reason by what a gang asks for; "" for one that it could hold. some says that
	// there is one that it could not.
	why  map[judgedKey]string
	some bool
}

// judgedKey is what a judgement rests on: what pods that are alike ask for, and how many of
// them must have a place.
type judgedKey struct {
	needed          int
	request         pack.Amounts
	required, shape string
}

// NodesVersion returns a number that changes when nodes do; see nodeindex.Index.
func (p *Path) NodesVersion() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.index == nil {
		return 0
	}
	return p.index.NodesVersion()
}

// Judgement is what a refused group is, whatever runs beside it.
type Judgement struct {
	// Never says why the cluster could not hold the group even if nothing else ran; "" if it
	// could.
	Never string
	// Class is the same text for groups of which none has a place where another has none, as
	// long as none comes free; "" for one that is like no other.
	Class string
}

// Judge judges a group that was refused. It is planned as it would be, with what is required of
// it and on the nodes that its pods may use, on nodes without pods.
//
// That the cluster could not hold it is said only if it is certain: what the index cannot judge
// is taken for possible, as are preferred levels, segments and links; of a group of pods that
// differ, those that are alike are judged by themselves. A group of which members run is
// possible. Of one class are groups of as many pods that ask for the same, of the same nodes and
// levels, with the same priority; a group has none of which pods differ or run, or that avoids
// nodes.
//
// Without the nodes as they are, nothing is judged, which is to be asked again.
func (p *Path) Judge(group fwk.PodGroupInfo) (j Judgement, judged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request, alikes, asked, judged := p.neverRequest(group)
	if len(alikes) == 1 {
		pod := group.GetUnscheduledPods()[0]
		if avoided, _ := p.avoidedBy(workload.NameOf(pod)); len(avoided) == 0 {
			j.Class = alikes[0].class(request, asked, corev1helpers.PodPriority(pod))
		}
	}
	for _, alike := range alikes {
		key := alike.key(asked.Required)
		why, known := p.impossible.why[key]
		if !known {
			why = p.whyNever(alike, request)
			p.impossible.why[key] = why
			p.impossible.some = p.impossible.some || why != ""
		}
		if why != "" {
			j.Never = why
			break
		}
	}
	return j, judged
}

// KnownNever returns why the cluster could not hold a group, and the status that says so, if
// Judge found it out of one that asks for the same, of the nodes that the index has; else "" and
// nil. The group needs not have been tried.
func (p *Path) KnownNever(group fwk.PodGroupInfo) (why string, status *fwk.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.impossible.some || p.impossible.version != p.index.NodesVersion() {
		return "", nil
	}
	_, alikes, asked, _ := p.neverRequest(group)
	for _, alike := range alikes {
		if why := p.impossible.why[alike.key(asked.Required)]; why != "" {
			return why, p.noPlace(group.GetUnscheduledPods()[0], why)
		}
	}
	return "", nil
}

// neverRequest returns what is to be judged of a group; nothing if it is possible, or judged is
// false. It forgets the judgements that do not hold of the nodes as they are.
func (p *Path) neverRequest(group fwk.PodGroupInfo) (_ *plan.Request, _ []*alike, asked gang.Topology, judged bool) {
	pods := group.GetUnscheduledPods()
	if p.cache == nil || p.unread || len(pods) == 0 || !p.inStep() {
		return nil, nil, asked, false
	}
	profile := p.profiles[pods[0].Spec.SchedulerName]
	if profile == nil {
		return nil, nil, asked, true
	}
	if pg := group.GetPodGroup(); pg != nil {
		asked = gangtable.TopologyOf(pg)
	}
	request, shapes, missing := p.planRequest(group, gang.Topology{Required: asked.Required}, profile)
	if missing != "" || len(request.Running) > 0 {
		return nil, nil, asked, true
	}
	if version := p.index.NodesVersion(); p.impossible.version != version || len(p.impossible.why) >= mostNever {
		p.impossible = impossible{version: version, why: map[judgedKey]string{}}
	}
	return &request, alikes(&request, shapes), asked, true
}

// alike are pods of a group that ask for the same.
type alike struct {
	shape *podshape.Shape
	pods  []plan.Pod
	// needed is how many of them must have a place.
	needed int
}

func (a *alike) key(required string) judgedKey {
	key := judgedKey{needed: a.needed, request: a.pods[0].Request, required: required}
	if a.shape != nil {
		key.shape = a.shape.Key
	}
	return key
}

// class is that of a group of which all pods are alike.
func (a *alike) class(of *plan.Request, asked gang.Topology, priority int32) string {
	if a.shape == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d, %d: %+v %+v %q", of.Least, len(of.Pods), priority, a.pods[0].Request, asked, a.shape.Key)
}

// alikes splits the pods of a request by what they ask for.
func alikes(request *plan.Request, shapes []*podshape.Shape) []*alike {
	type class struct {
		shape   *podshape.Shape
		request pack.Amounts
	}
	by := map[class]*alike{}
	var out []*alike
	for i, pod := range request.Pods {
		c := class{shapes[i], pod.Request}
		a := by[c]
		if a == nil {
			a = &alike{shape: shapes[i]}
			by[c] = a
			out = append(out, a)
		}
		a.pods = append(a.pods, pod)
	}
	for _, a := range out {
		a.needed = request.Least - (len(request.Pods) - len(a.pods))
	}
	return out
}

// whyNever says why not even the empty cluster holds pods that are alike; "" if it does.
func (p *Path) whyNever(a *alike, of *plan.Request) string {
	if a.needed <= 0 {
		return ""
	}
	empty := p.index.Emptied()
	request := plan.Request{Required: of.Required, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: a.needed, Candidates: 1}
	open := p.mayUse(a.shape)
	for _, pod := range a.pods[:a.needed] {
		pod.Open = open
		request.Pods = append(request.Pods, pod)
	}
	planner := plan.Planner{Index: empty.Index, Fabric: p.index.Fabric(), Ranking: empty.Index.NewRanking(pack.Policy{})}
	result := planner.Plan(request)
	if len(result.Candidates) > 0 {
		return ""
	}
	return "even if nothing else ran, there would be no place: " + p.whyNoPlace(result.Reason, &request, []*podshape.Shape{a.shape})
}

// mayUse returns the nodes that have not refused pods of a shape for what they are
// themselves; nil for all.
func (p *Path) mayUse(s *podshape.Shape) *pack.Set {
	if s == nil {
		return nil
	}
	may := &pack.Set{}
	for name := range p.index.Names() {
		if id, ok := p.index.ID(name); ok && !s.Lasting(id) {
			may.Add(id)
		}
	}
	return may
}
