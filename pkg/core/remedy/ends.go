package remedy

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/preempt"
)

// longest is for how many seconds a gang counts as running on that does not say when it ends:
// more than a year, and not so much that sums lose anything.
const longest = 1 << 26

// anybody lets everybody go: nobody is asked to, they end.
type anybody struct{}

func (anybody) Evict(*preempt.Gang, []preempt.Member) (undo func(), ok bool) { return func() {}, true }
func (anybody) Enough() bool                                                 { return true }

// ends looks for gangs whose end gives the gang its place: of all sets that do, one with the
// least work left to do, as far as package preempt looks.
func (f *finder) ends() (Remedy, bool) {
	running, members := make([]preempt.Gang, 0, len(f.Running)), make([]preempt.Member, 0, len(f.Running))
	for i := range f.Running {
		one := &f.Running[i]
		if len(one.Members) == 0 {
			continue
		}
		// All go at once, so none is beyond the least.
		g := preempt.Gang{Name: one.Name, Queue: preempt.QueueID(i), Least: len(one.Members)}
		from := len(members)
		for rank, m := range one.Members {
			left := int64(longest)
			if one.Ends != Unknown {
				left = min(max(int64(one.Ends-f.Now), 1), longest)
			}
			members = append(members, preempt.Member{
				Rank: rank, Node: m.Node, Request: m.Request, Held: m.Held, Lost: left * int64(max(m.Request.Devices, 1)),
			})
		}
		g.Members = members[from:len(members):len(members)]
		running = append(running, g)
	}
	choice, reason := preempt.Victims(f.Planner, f.request.Request, running, anybody{}, preempt.Bounds{Steps: f.bounds.Steps})
	if reason != nil || len(choice.Evict) == 0 {
		return Remedy{}, false
	}
	r := Remedy{Kind: GangsEnd, Level: choice.Candidate.Level, Domain: choice.Candidate.Domain}
	for _, e := range choice.Evict {
		r.Gangs = append(r.Gangs, int(e.Gang.Queue)) // its place in Running
	}
	slices.SortFunc(r.Gangs, f.byName)
	r.Ends = last(r.Gangs, func(g int) Instant { return f.Running[g].Ends })
	return r, true
}

// last returns when the last of some gangs ends; Unknown if one does not say so.
func last(gangs []int, ends func(g int) Instant) Instant {
	last := Unknown
	for _, g := range gangs {
		if ends(g) == Unknown {
			return Unknown
		}
		last = max(last, ends(g))
	}
	return last
}
