package fastpath

import (
	"fmt"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/state"
)

// mostNever is how many judgements are remembered.
const mostNever = 4096

// impossible remembers which gangs not even the empty cluster could hold: by what they
// ask for, as long as nodes stay as they are.
type impossible struct {
	version int64
	// why is the reason by what a gang asks for; "" for one that it could hold.
	why map[string]string
}

// NodesVersion returns a number that changes when nodes do; see state.Index.
func (p *Path) NodesVersion() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.index == nil {
		return 0
	}
	return p.index.NodesVersion()
}

// NeverFits reports whether a group that was refused could not be held by the cluster even
// if nothing else ran, and what it would be short of. It is planned as it would be, with
// what is required of it and on the nodes that its pods may use, on nodes without pods.
//
// The answer is yes only if it is certain: what the index cannot judge is taken for
// possible, as are preferred levels, segments and links; of a group of pods that differ,
// those that are alike are judged by themselves. A group of which members run is possible.
//
// Why is empty if the cluster could hold it. Without the nodes as they are, nothing is
// judged, which is to be asked again.
func (p *Path) NeverFits(group fwk.PodGroupInfo) (why string, judged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pods := group.GetUnscheduledPods()
	if p.cache == nil || p.unread || len(pods) == 0 || !p.inStep() {
		return "", false
	}
	profile := p.profiles[pods[0].Spec.SchedulerName]
	if profile == nil {
		return "", true
	}
	asked := gang.Topology{}
	if pg := group.GetPodGroup(); pg != nil {
		asked.Required = state.TopologyOf(pg).Required
	}
	request, shapes, missing := p.planRequest(group, asked, profile)
	if missing != "" || len(request.Running) > 0 {
		return "", true
	}
	if version := p.index.NodesVersion(); p.impossible.version != version || len(p.impossible.why) >= mostNever {
		p.impossible = impossible{version: version, why: map[string]string{}}
	}
	for _, alike := range alikes(&request, shapes) {
		key := alike.key(asked.Required)
		why, known := p.impossible.why[key]
		if !known {
			why = p.whyNever(alike, &request)
			p.impossible.why[key] = why
		}
		if why != "" {
			return why, true
		}
	}
	return "", true
}

// alike are pods of a group that ask for the same.
type alike struct {
	shape *shape
	pods  []plan.Pod
	// needed is how many of them must have a place.
	needed int
}

func (a *alike) key(required string) string {
	key := fmt.Sprintf("%d %+v %s ", a.needed, a.pods[0].Request, required)
	if a.shape != nil {
		key += a.shape.key
	}
	return key
}

// alikes splits the pods of a request by what they ask for.
func alikes(request *plan.Request, shapes []*shape) []*alike {
	type class struct {
		shape   *shape
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
	return "even if nothing else ran, there would be no place: " + p.whyNoPlace(result.Reason, &request, []*shape{a.shape})
}

// mayUse returns the nodes that have not refused pods of a shape for what they are
// themselves; nil for all.
func (p *Path) mayUse(s *shape) *pack.Set {
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
