package queueing

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/workload"
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
	specs := q.allSpecs()
	q.names = q.names[:0]
	for i := range specs {
		q.names = append(q.names, specs[i].Name)
	}
	if len(specs) == 0 {
		for uid := range q.charged {
			q.leave(uid)
		}
		q.tree, q.line, q.total = nil, nil, nil
		clear(q.charged)
		clear(q.deleting)
		clear(q.accounts)
		clear(q.unagreed)
		q.open()
		return
	}
	// The tree knows the fault of each queue.
	q.tree, _ = quota.NewTree(specs, nil)
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
			case !q.gangs.Ours(pod.Spec.SchedulerName):
			case pod.Spec.NodeName != "":
				q.charge(pod)
			case q.reserved[pod.UID] == nil && !workload.SetAside(pod):
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

// respecified takes in that a queue has another spec, in the tree that there is. Nobody is looked at
// but those who wait in the queue, and those who may use one now and could not before, or the other
// way round. It reports whether that is all: if not, the tree has to be made anew.
func (q *Queues) respecified(was, is quota.Spec) bool {
	if reflect.DeepEqual(was, is) {
		return true
	}
	if !q.opened || q.stale || q.tree == nil {
		return false
	}
	tree, ok := q.tree.With(is)
	if !ok {
		return false
	}
	id, _ := tree.Queue(is.Name)
	before := q.tree
	q.tree, q.shares = tree, nil
	for _, name := range q.line.SetTree(tree, id) {
		q.follow(q.byName[name]) // whatever is in the line waits
	}
	access := !reflect.DeepEqual(was.Access, is.Access)
	if access || !tree.SameClosed(before) {
		q.rejudgeAll(q.waitersWhere(func(of quota.QueueID) bool {
			return access && tree.In(of, id) || tree.Closed(of) != before.Closed(of)
		}))
		for namespace := range q.unagreed {
			q.recheckCharges(namespace)
		}
	}
	q.tell()
	return true
}

// waitersWhere returns those who wait, or would, in queues of which something holds.
func (q *Queues) waitersWhere(holds func(quota.QueueID) bool) []*waiter {
	var out []*waiter
	for _, w := range q.waiting {
		if id, known := q.id(w.queue); known && holds(id) {
			out = append(out, w)
		}
	}
	return out
}

// follow takes over where a gang is in a line that may have it elsewhere than before.
func (q *Queues) follow(w *waiter) {
	if w.hold && !q.line.IsAdmitted(w.name) {
		q.line.Hold(w.name)
	}
	w.admitted, w.refused = q.line.IsAdmitted(w.name), q.line.IsRefused(w.name)
	q.tellStuck(w)
}

// tellStuck has those of a gang told why it is never their turn as things are, if it is not.
func (q *Queues) tellStuck(w *waiter) {
	if reason, _ := q.line.Reason(w.name); reason.Code == admission.Faulty || reason.Code == admission.NeverFits {
		q.stuck = append(q.stuck, w)
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
			specs = append(specs, q.elasticSpec(namespace))
		}
	}
	return specs
}

// elasticSpec returns the spec of the ElasticQuota of a namespace that counts: the first by name.
// It has no name if there is none.
func (q *Queues) elasticSpec(namespace string) quota.Spec {
	of := q.elastic[namespace]
	if len(of) == 0 {
		return quota.Spec{}
	}
	return of[slices.Min(slices.Collect(maps.Keys(of)))]
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
		w.queued, w.refused, w.admitted = false, false, false
		if w.ready {
			q.enqueue(w)
		}
	}
	q.tell()
}

// takeOver puts all that would be tried into a line that is new, as they were in the one
// before: who is admitted stays so, and who had no room is not tried again for the change of a
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
		if q.line.Has(name) {
			q.follow(w)
			continue
		}
		w.queued, w.refused, w.admitted = false, false, false
		if w.ready && !(w.refusal.Code == NeverFits && q.isImpossible(w)) {
			q.enqueue(w)
		}
	}
	q.tell()
}
