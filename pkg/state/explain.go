package state

import (
	"time"

	"github.com/berth-dev/berth/pkg/core/admission"
)

const (
	// explainAfter is how long a gang waits before its pods are told why: most have their turn
	// sooner. explainAgain is after how long it is looked whether the reason is another.
	explainAfter = 10 * time.Second
	explainAgain = time.Minute
	// explainPods is how many pods are told at a time, in the mean: each is a request.
	// explainLooks is how many gangs are looked at.
	explainPods  = 16
	explainLooks = 256
)

// doubt is a gang whose pods may not know why it waits, and when that is to be looked at.
type doubt struct {
	of *waiter
	at time.Time
}

// Explain returns gangs and plain pods that their queue has held for a while, and why, each
// once for each reason: some of them, so that no storm of requests follows. Those for which
// there was no room were told by the scheduler, and those whose turn never comes by Stuck. It
// is to be called every second or so.
func (q *Queues) Explain() []Stuck {
	if !q.some.Load() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return nil
	}
	q.explained = min(q.explained+explainPods, explainPods)
	now, looks := q.clock.Now(), 0
	var out []Stuck
	for _, list := range []*[]doubt{&q.fresh, &q.known} {
		for ; len(*list) > 0 && !now.Before((*list)[0].at) && q.explained > 0 && looks < explainLooks; looks++ {
			w := (*list)[0].of
			*list = (*list)[1:]
			if q.waiting[w.id] != w {
				continue
			}
			q.known = append(q.known, doubt{w, now.Add(explainAgain)})
			code, text, known := q.why(w)
			switch admission.Code(code) {
			case admission.Turn, admission.Behind, admission.Held, admission.AtLimit, admission.Claims:
			default:
				w.said = ""
				continue
			}
			if !known || code == w.said {
				continue
			}
			w.said = code
			out = append(out, Stuck{Pods: w.byName(), Code: code, Text: text})
			q.explained -= len(w.pods)
		}
	}
	return out
}
