package state

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/repair"
)

// SpareClaims returns the spares that queues have kept, by the names of the queues. The slice is
// another one once they have changed, and is read only; nil if there are none.
func (q *Queues) SpareClaims() *[]repair.Claim { return q.spareClaims.Load() }

// claimSpares works out anew what SpareClaims returns.
func (q *Queues) claimSpares() {
	var claims []repair.Claim
	for _, o := range q.ordered {
		for _, s := range o.spares {
			claims = append(claims, repair.Claim{Queue: o.spec.Name, Level: s.Level, Nodes: int(s.Nodes)})
		}
	}
	before := q.spareClaims.Load()
	switch {
	case len(claims) == 0:
		q.spareClaims.Store(nil)
	case before == nil || !slices.Equal(*before, claims):
		q.spareClaims.Store(&claims)
	}
}

// Around returns the queue of a pod and those around it, the nearest first. Whether a queue has a
// fault does not matter.
func (q *Queues) Around(pod *corev1.Pod) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for name := q.queueNow(pod); name != "" && !slices.Contains(out, name); name = q.objects[name].spec.Parent {
		out = append(out, name)
	}
	return out
}
