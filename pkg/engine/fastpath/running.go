package fastpath

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// memberFacts is what the search for victims needs of the pods of a gang that runs, and what
// only the pods say: it stays as it is while none of them changes. A search reads all that run,
// several times, and to read a pod anew takes longer than to search.
type memberFacts struct {
	pods     []*corev1.Pod
	ranks    []int
	requests []pack.Amounts
}

// factsOf returns the facts of the pods of a gang.
func (p *Path) factsOf(name string, pods []*corev1.Pod) *memberFacts {
	// A pod that changes is another object.
	if facts := p.facts[name]; facts != nil && slices.Equal(facts.pods, pods) {
		return facts
	}
	facts := &memberFacts{pods: slices.Clone(pods), requests: make([]pack.Amounts, len(pods))}
	facts.ranks, _ = workload.Ranks(pods, nil)
	for i, pod := range pods {
		facts.requests[i] = p.index.Devices().Request(ResourceOf(pod))
	}
	return facts
}

// Running is who runs and may be asked to go for one claim. It is read once for all searches of
// the claim, as long as the nodes stay the same. Its methods are called under the lock of Path.
type Running struct {
	candidates []queueing.Candidate
	now        time.Time
	gangs      []preempt.Gang
	byName     map[string]*queueing.Candidate
	// version is that of the nodes when gangs were read, and read says that they were.
	version int64
	read    bool
}

// NewRunning returns those that run at an instant, for Path.Victims.
func NewRunning(candidates []queueing.Candidate, now time.Time) *Running {
	return &Running{candidates: candidates, now: now}
}

// on returns the gangs as a path knows their nodes, and the candidates by name.
func (r *Running) on(p *Path) ([]preempt.Gang, map[string]*queueing.Candidate) {
	if version := p.index.NodesVersion(); !r.read || r.version != version {
		r.gangs, r.byName = p.runningOf(r.candidates, r.now)
		r.version, r.read = version, true
	}
	return r.gangs, r.byName
}

// runningOf translates those that run, as far as the index knows their nodes: a gang that has a
// pod elsewhere is left alone.
func (p *Path) runningOf(candidates []queueing.Candidate, now time.Time) ([]preempt.Gang, map[string]*queueing.Candidate) {
	if len(candidates) == 0 {
		return nil, nil
	}
	facts := make(map[string]*memberFacts, len(candidates))
	out := make([]preempt.Gang, 0, len(candidates))
	byName := make(map[string]*queueing.Candidate, len(candidates))
	for i := range candidates {
		t := &candidates[i]
		of := p.factsOf(t.Name, t.Pods)
		facts[t.Name] = of
		g := preempt.Gang{
			Name: t.Name, Queue: preempt.QueueID(t.Queue), Priority: t.Priority, Least: t.Least,
			Members: make([]preempt.Member, 0, len(t.Pods)),
		}
		done := int64(0)
		for j, pod := range t.Pods {
			id, known := p.index.ID(pod.Spec.NodeName)
			if !known {
				break
			}
			request := of.requests[j]
			lost := queueing.Lost(pod, int64(request.Devices), now)
			if t.Told {
				lost = 0 // it saves its work to go
			}
			g.Members = append(g.Members, preempt.Member{
				Name: pod.Name, Rank: of.ranks[j], Node: id, Request: request, Held: p.devicesHeld(pod, request), Lost: lost,
			})
			done += queueing.Done(pod, int64(request.Devices), now)
		}
		g.Ended = t.Ended(done)
		if len(g.Members) == len(t.Pods) {
			out = append(out, g)
			byName[t.Name] = t
		}
	}
	p.facts = facts
	return out, byName
}

// heldBy returns what a node gets back when a pod of it goes, and which devices.
func (p *Path) heldBy(pod *corev1.Pod) (request pack.Amounts, held topology.Mask) {
	request = p.index.Devices().Request(ResourceOf(pod))
	return request, p.devicesHeld(pod, request)
}

// devicesHeld returns the devices that a pod has of its node.
func (p *Path) devicesHeld(pod *corev1.Pod, request pack.Amounts) topology.Mask {
	if request.Devices <= 0 {
		return 0
	}
	return p.inventory.Held(pod.UID)
}
