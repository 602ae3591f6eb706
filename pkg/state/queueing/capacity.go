package queueing

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/core/repair"
)

// SetNode takes in what a node has.
func (q *Queues) SetNode(node *corev1.Node) { q.setNode(node.Name, node.Status.Allocatable) }

// DeleteNode forgets a node.
func (q *Queues) DeleteNode(name string) { q.setNode(name, nil) }

func (q *Queues) setNode(name string, amounts corev1.ResourceList) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if equality.Semantic.DeepEqual(q.nodes[name], amounts) {
		return
	}
	if q.total == nil {
		q.resized = true
	} else if was, is := q.vector(q.nodes[name]), q.vector(amounts); !slices.Equal(was, is) {
		q.total, q.resized = exchange(q.total, was, is), true
	}
	if q.whole != nil {
		sumUp(q.whole, q.nodes[name], (*resource.Quantity).Sub)
		sumUp(q.whole, amounts, (*resource.Quantity).Add)
	}
	if amounts == nil {
		delete(q.nodes, name)
	} else {
		q.nodes[name] = amounts
	}
	q.freed = true
	q.tell()
}

// sumUp adds amounts to a sum of them, or takes them away.
func sumUp(sum, amounts corev1.ResourceList, by func(sum *resource.Quantity, amount resource.Quantity)) {
	for name, amount := range amounts {
		of, known := sum[name]
		if !known {
			of = *resource.NewQuantity(0, amount.Format)
		}
		by(&of, amount)
		sum[name] = of
	}
}

// exchange returns a sum with one part in the place of another; nil if it has come to the
// most that is counted, from which nothing can be taken away.
func exchange(sum, was, is quota.Vector) quota.Vector {
	out := make(quota.Vector, len(sum))
	for r := range sum {
		if sum[r] >= quota.Most {
			return nil
		}
		out[r] = sum[r].Minus(was[r]).Plus(is[r])
	}
	return out
}

// capacity returns what all nodes have, in the order of the tree. It is read only.
func (q *Queues) capacity() quota.Vector {
	if q.total == nil {
		q.total = make(quota.Vector, len(q.tree.Resources()))
		for _, amounts := range q.nodes {
			q.total = q.total.Plus(q.vector(amounts))
		}
	}
	return q.total
}

// clusterHas returns what all nodes have. It is read only, and changes with the nodes.
func (q *Queues) clusterHas() corev1.ResourceList {
	if q.whole == nil {
		q.whole = corev1.ResourceList{}
		for _, node := range slices.Sorted(maps.Keys(q.nodes)) {
			sumUp(q.whole, q.nodes[node], (*resource.Quantity).Add)
		}
	}
	return q.whole
}

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
