package state

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
)

// restOfRebuild is how many times as long as it took to make the tree it is kept at least
// where its objects change all the time, up to mostRest: so a tenth of the time goes into
// trees, as long as one takes no more than a ninth of that.
const (
	restOfRebuild = 9
	mostRest      = time.Second
)

// settled brings the tree up to date with the objects, as far as that is due. It reports
// whether there are any.
func (q *Queues) settled() bool {
	if !q.opened {
		return false
	}
	start := q.clock.Now()
	if !q.stale || q.tree != nil && start.Sub(q.rebuilt) < min(restOfRebuild*q.rebuildTook, mostRest) {
		return q.tree != nil
	}
	q.stale = false
	q.rebuild()
	q.rebuilt = q.clock.Now()
	q.rebuildTook = q.rebuilt.Sub(start)
	return q.tree != nil
}

// rebuild makes the tree of the objects, and takes over who pays and who waits. The cost is
// that of the queues, of what waits, and of the pods that the first queue of all finds.
func (q *Queues) rebuild() {
	old, before := q.tree, q.line
	q.specs = q.allSpecs()
	if len(q.specs) == 0 {
		q.tree, q.line, q.total = nil, nil, nil
		clear(q.charged)
		clear(q.accounts)
		clear(q.unagreed)
		q.open()
		return
	}
	// The tree knows the fault of each queue.
	q.tree, _ = quota.NewTree(q.specs, nil)
	q.shares = nil
	for name := range q.tallies {
		if _, still := q.tree.Queue(name); !still {
			delete(q.tallies, name)
		}
	}
	sameResources := old != nil && slices.Equal(old.Resources(), q.tree.Resources())
	if !sameResources {
		q.total = nil
	}
	q.line = admission.New(q.tree, q.capacity(), q.config)
	if old == nil {
		for _, pod := range q.list() {
			switch {
			case !q.gangs.ours(pod.Spec.SchedulerName):
			case pod.Spec.NodeName != "":
				q.charge(pod)
			case q.reserved[pod.UID] == nil && !setAside(pod):
				q.wait(pod)
			}
		}
		for _, pod := range q.reserved {
			q.charge(pod)
		}
		q.queueAnew()
		return
	}
	q.rebill(sameResources)
	q.line.Averages().Carry(before.Averages(), before.Used(), q.now())
	if sameResources {
		q.takeOver(before)
	} else {
		q.queueAnew()
	}
}

// allSpecs returns what is said of all queues: oldest first, and those of namespaces, whose
// names a queue object may take, last.
func (q *Queues) allSpecs() []quota.Spec {
	specs := make([]quota.Spec, 0, len(q.ordered)+len(q.elastic))
	for _, o := range q.ordered {
		specs = append(specs, o.spec)
	}
	for _, namespace := range slices.Sorted(maps.Keys(q.elastic)) {
		if _, taken := q.objects[namespace]; !taken {
			of := q.elastic[namespace]
			specs = append(specs, of[slices.Min(slices.Collect(maps.Keys(of)))])
		}
	}
	return specs
}

// rebill charges what runs to a line that is new, account by account, and looks anew at those
// whose queue has not agreed. With other resources than before, it goes by the pods.
func (q *Queues) rebill(sameResources bool) {
	if !sameResources {
		clear(q.accounts)
		for _, p := range q.charged {
			q.addCharge(p)
		}
		return
	}
	for _, a := range q.accounts {
		a.id = q.accountID(a.queue)
		if err := q.line.Charge(q.now(), a.id, a.used); err != nil {
			panic(fmt.Sprintf("charging what queue %q used before: %v", a.queue, err)) // it was counted in sum
		}
	}
	for namespace := range q.unagreed {
		q.recheckCharges(namespace)
	}
}

// recheckCharges charges anew those of a namespace whose queue has not agreed, if another is
// to be charged than before.
func (q *Queues) recheckCharges(namespace string) {
	for _, p := range q.unagreed[namespace] {
		if q.queueCharged(p) != p.account.queue {
			q.removeCharge(p)
			q.addCharge(p)
			q.tell()
		}
	}
}

// queueAnew puts all that would be tried into a line that is new.
func (q *Queues) queueAnew() {
	for _, name := range slices.Sorted(maps.Keys(q.byName)) {
		w := q.byName[name]
		w.queued, w.refused, w.letIn = false, false, false
		if w.ready {
			q.enqueue(w)
		}
	}
	q.tell()
}

// takeOver puts all that would be tried into a line that is new, as they were in the one
// before: who is let in stays so, and who had no room is not tried again for the change of a
// queue.
func (q *Queues) takeOver(before *admission.Admission) {
	q.line.Adopt(before, func(g admission.Gang) (quota.QueueID, bool) {
		w := q.byName[g.Name] // whatever is in the line waits
		pod := w.any()
		w.queue = q.queueNow(pod)
		id, _, ok := q.find(w.queue, pod.Namespace)
		return id, ok
	})
	for _, name := range slices.Sorted(maps.Keys(q.byName)) {
		w := q.byName[name]
		if reason, has := q.line.Reason(name); has {
			w.letIn, w.refused = q.line.IsLetIn(name), q.line.IsRefused(name)
			if reason.Code == admission.Faulty || reason.Code == admission.NeverFits {
				q.stuck = append(q.stuck, w)
			}
			continue
		}
		w.queued, w.refused, w.letIn = false, false, false
		if w.ready && !(w.refusal.Code == NeverFits && q.isImpossible(w)) {
			q.enqueue(w)
		}
	}
	q.tell()
}
