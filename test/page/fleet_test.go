package page

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/webpage"
)

const gpusOfNode = 8

// hostile is the name of a queue and the text of a reason: a page that takes it for markup
// shows an image and runs a script.
const hostile = `<img src=x onerror="document.title='taken'">`

// fleet is a cluster that is played: gangs of 64 GPUs and single pods on most of the nodes,
// some GPUs that are ill or reserved, and gangs that wait.
type fleet struct {
	mu      sync.Mutex
	nodes   []webpage.Node
	gangs   []insight.Gang
	queues  []insight.Queue
	journal insight.Journal
	steps   int
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// names of nodes in the gangs' order: gang i has those from i*8.
const nodesOfGang = 8

func newFleet(nodes int) *fleet {
	f := &fleet{}
	for i := range nodes {
		f.nodes = append(f.nodes, webpage.Node{
			Name: fmt.Sprintf("node-%05d", i+1), Rack: fmt.Sprintf("rack-%04d", i/32+1), Block: fmt.Sprintf("block-%03d", i/256+1), GPUs: gpusOfNode,
		})
	}
	whole := nodes / nodesOfGang * 8 / 10
	for i := range whole {
		f.gangs = append(f.gangs, gang(fmt.Sprintf("train-%03d", i), insight.Placed))
		f.seat(i, i)
	}
	for i := whole * nodesOfGang; i < nodes; i++ {
		n := &f.nodes[i]
		switch i % 16 {
		case 0:
			n.Ill = 1
		case 1:
			n.Reserved = []webpage.Seat{{Gang: "research/wait-000", GPUs: gpusOfNode}}
		case 2:
			n.Closed = true
		case 3:
			n.Pods = []webpage.Seat{{Pod: "kube-system/other", GPUs: 2}}
		case 4, 5, 6:
			name := fmt.Sprintf("notebook-%05d", i)
			n.Pods = []webpage.Seat{{Gang: webpage.PodKey("research", name), Pod: "research/" + name, GPUs: 1}}
			one := gang(name, insight.Placed)
			one.Pod, one.Pods, one.Asks = true, insight.Pods{Needed: 1, Total: 1, Bound: 1, Running: 1}, map[string]int64{"nvidia.com/gpu": 1}
			f.gangs = append(f.gangs, one)
		}
	}
	for i := range 60 {
		g := gang(fmt.Sprintf("wait-%03d", i), insight.Pending)
		g.Reason, g.Sentence = "QueueAtLimit", fmt.Sprintf("queue \"research\" would have %d of 1024 nvidia.com/gpu", 1030+i)
		if i == 1 {
			g.Reason, g.Sentence = "QueueNotFound", "there is no queue "+hostile
		}
		f.gangs = append(f.gangs, g)
		f.journal.Add(insight.Event{Time: epoch, Action: insight.ActionHeld, Namespace: g.Namespace, Gang: g.Name, Reason: g.Reason, Sentence: g.Sentence})
	}
	limit := int64(16384)
	for i, name := range []string{"company", "production", "research"} {
		q := insight.Queue{Name: name, Pending: 20 * i, Running: 100 * i, Resources: []insight.QueueResource{
			{Resource: "nvidia.com/gpu", Used: int64(4000 * (3 - i)), Guaranteed: 4096, Limit: &limit, Share: 8192, Asked: 512}}}
		if i > 0 {
			q.Parent, q.Depth = "company", 1
			q.Next = &insight.QueueNext{Gang: "research/wait-000", Position: 1, Reason: "QueueAtLimit", Sentence: "queue " + hostile + " is at its limit", Created: epoch}
		}
		f.queues = append(f.queues, q)
	}
	return f
}

func gang(name, state string) insight.Gang {
	g := insight.Gang{Namespace: "research", Name: name, State: state, Queue: "research", Created: epoch,
		Pods: insight.Pods{Needed: nodesOfGang, Total: nodesOfGang}, Asks: map[string]int64{"cpu": 64000, "nvidia.com/gpu": nodesOfGang * gpusOfNode}}
	if state == insight.Placed {
		g.Pods.Bound, g.Pods.Running = nodesOfGang, nodesOfGang
	} else {
		g.Pods.Waiting = nodesOfGang
	}
	return g
}

// seat gives a gang the nodes at a place.
func (f *fleet) seat(place, gang int) {
	for k := range nodesOfGang {
		g := &f.gangs[gang]
		f.nodes[place*nodesOfGang+k].Pods = []webpage.Seat{{Gang: webpage.GangKey(g.Namespace, g.Name), Pod: fmt.Sprintf("%s/%s-%d", g.Namespace, g.Name, k), GPUs: gpusOfNode}}
	}
}

// step has ten gangs end, and ten new ones come in their place.
func (f *fleet) step() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range 10 {
		i := (f.steps*10 + k) % 200
		name := fmt.Sprintf("train-%03d-again-%d", i, f.steps)
		f.gangs[i] = gang(name, insight.Placed)
		f.seat(i, i)
		f.journal.Add(insight.Event{Time: epoch, Action: insight.ActionPlaced, Namespace: "research", Gang: name, Pods: nodesOfGang, Sentence: "Placed 8 of 8 pods"})
	}
	f.queues[1].Running++
	f.steps++
}

// plain has all names and reasons be such as people give.
func (f *fleet) plain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.gangs {
		if strings.Contains(f.gangs[i].Sentence, hostile) {
			f.gangs[i].Sentence = `there is no queue "vision"`
		}
	}
	for i := range f.queues {
		if next := f.queues[i].Next; next != nil {
			plain := *next
			plain.Sentence = `queue "research" would have 1030 of 1024 nvidia.com/gpu`
			f.queues[i].Next = &plain
		}
	}
}

func (f *fleet) Nodes(context.Context) ([]webpage.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]webpage.Node(nil), f.nodes...), nil
}

func (f *fleet) Gangs(context.Context, insight.GangQuery) (*insight.Gangs, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &insight.Gangs{Gangs: append([]insight.Gang(nil), f.gangs...)}, nil
}

func (f *fleet) Queues(context.Context) (*insight.Queues, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &insight.Queues{Queues: append([]insight.Queue(nil), f.queues...)}, nil
}

func (f *fleet) Events(_ context.Context, after uint64) (*insight.Events, error) {
	events, last, missed := f.journal.After(after)
	return &insight.Events{Events: events, Last: last, Missed: missed}, nil
}
