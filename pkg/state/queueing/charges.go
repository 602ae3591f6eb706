package queueing

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// chargedPod is a pod whose requests are charged to a queue: it has a node, or is to get one.
type chargedPod struct {
	pod *corev1.Pod
	// queue is the one that pays, as it was when the pod was placed: nothing that is said later
	// moves a charge, for it would free one queue and pass the limit of another.
	queue string
	// agreed says that the pod was placed by that queue. What others have placed is charged
	// to nobody if it names a queue that its namespace may not use.
	agreed bool
	asks   corev1.ResourceList
	// priority is that of the pod when it was charged.
	priority int32
	// account is where it is charged, and by how much.
	account *account
	by      quota.Vector
}

// account is what is charged to the queue of a name, with what is charged to nobody under "":
// so a tree that is new is charged by the number of queues, and not of pods.
type account struct {
	queue string
	id    quota.QueueID
	used  quota.Vector
	pods  int
	// gangs counts the pods of each gang and plain pod, and priorities those of each priority.
	gangs      map[workload.ID]int
	priorities map[int32]int
}

// SetPod takes in a pod that was made or changed.
func (q *Queues) SetPod(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	placed := pod.Spec.NodeName != ""
	if placed {
		delete(q.reserved, pod.UID)
		// A pod that is charged while it waits is bound before its try has ended, which then
		// takes it out: see Ended. Any other leaves, also before it is known what queues there
		// are: a standby hears of pods that wait, and then that the leader has bound them.
		if q.charged[pod.UID] == nil {
			q.leave(pod.UID)
		}
	}
	if !q.settled() {
		return
	}
	switch {
	case !q.gangs.Ours(pod.Spec.SchedulerName):
		q.release(pod.UID)
	case placed:
		// What it asks for may have changed, or what its gang says.
		q.charge(pod)
	case workload.SetAside(pod):
		// It may come back: a gate is taken off.
		q.leave(pod.UID)
		q.release(pod.UID)
	case q.reserved[pod.UID] == nil:
		q.release(pod.UID)
		q.wait(pod)
	}
}

// DeletePod forgets a pod that is gone or has ended.
func (q *Queues) DeletePod(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.reserved, pod.UID)
	q.leave(pod.UID)
	if q.settled() {
		q.freed = q.freed || q.charged[pod.UID] != nil
		q.release(pod.UID)
	}
}

// Reserve charges a pod that is to get a node, unless that would pass a limit: then it
// says why not. A pod that is charged already is not charged again, and one that is tried
// out without others is not charged: see Try.
func (q *Queues) Reserve(pod *corev1.Pod) (Refusal, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.settled() {
		if q.charged[pod.UID] != nil || workload.IDOf(pod) == q.trial {
			return Refusal{}, true
		}
		asks := q.asksFor(pod)
		if refusal, ok := q.check(pod, asks); !ok {
			return refusal, false
		}
		q.chargeFor(pod, asks, true)
	}
	q.reserved[pod.UID] = pod
	return Refusal{}, true
}

// Unreserve takes back the charge of a pod that does not get its node after all. One whose
// node the API server told keeps it.
func (q *Queues) Unreserve(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.reserved[pod.UID] == nil {
		return
	}
	delete(q.reserved, pod.UID)
	if q.settled() {
		q.release(pod.UID)
	}
}

// Check reports whether a pod's queue may have what it asks for; why not otherwise.
func (q *Queues) Check(pod *corev1.Pod) (Refusal, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() || q.charged[pod.UID] != nil {
		return Refusal{}, true
	}
	return q.check(pod, q.asksFor(pod))
}

// Refusal says why a queue does not take a pod.
type Refusal struct {
	Code QueueCode
	// Queue is the queue that refuses, Text a sentence that says what to do.
	Queue, Text string
}

// QueueCode is a typed reason. The set is closed and never holds a name.
type QueueCode string

const (
	// QueueNotFound: there is no queue of that name.
	QueueNotFound QueueCode = "QueueNotFound"
	// QueueFault: the queue, or one around it, makes no sense.
	QueueFault QueueCode = "QueueFault"
	// NeverFits: the cluster could not hold the gang even if nothing else ran.
	NeverFits QueueCode = "GangNeverFits"
	// QueueLimit: the queue, or one around it, would pass its limit.
	QueueLimit QueueCode = "QueueLimitReached"
)

// QueueCodes are all of them.
func QueueCodes() []QueueCode {
	return []QueueCode{QueueNotFound, QueueFault, NeverFits, QueueLimit, QueueNotAllowed}
}

func (q *Queues) check(pod *corev1.Pod, asks corev1.ResourceList) (Refusal, bool) {
	id, why, ok := q.find(q.queueNow(pod), pod.Namespace)
	if !ok {
		return why, false
	}
	refusal, ok := q.line.Used().CanCharge(id, q.vector(asks))
	if ok || refusal.Fault == nil && workload.IDOf(pod) == q.trial {
		return Refusal{}, true
	}
	out := Refusal{Code: QueueLimit, Queue: q.tree.Name(refusal.Queue), Text: refusal.Sentence(q.tree)}
	if refusal.Fault != nil {
		out.Code = QueueFault
	}
	return out, false
}

// charge charges a pod, anew if it was charged for something else. Most that is told of a pod
// does not change that, and then nobody gains by it.
func (q *Queues) charge(pod *corev1.Pod) {
	if was := q.charged[pod.UID]; was != nil && workload.RequestsAlike(was.pod, pod) {
		q.chargeFor(pod, was.asks, false)
		return
	}
	q.chargeFor(pod, q.requests(pod), false)
}

// chargeFor is charge where it is known what the pod asks for, and whether its queue has
// agreed.
func (q *Queues) chargeFor(pod *corev1.Pod, asks corev1.ResourceList, agreed bool) {
	p := &chargedPod{pod: pod, asks: asks}
	if was := q.charged[pod.UID]; was != nil {
		if workload.IDOf(was.pod) == workload.IDOf(pod) && was.priority == workload.PriorityOf(pod) && workload.SameAmounts(was.asks, asks) {
			was.pod = pod
			q.noteLeaving(was)
			return
		}
		p.queue, p.agreed = was.queue, was.agreed
	} else if p.queue = pod.Annotations[dialect.ChargedQueueAnnotation]; p.queue != "" && pod.Spec.NodeName != "" {
		p.agreed = true
	} else {
		p.queue, p.agreed = q.queueNow(pod), agreed
	}
	q.release(pod.UID)
	q.charged[pod.UID] = p
	q.noteLeaving(p)
	q.addCharge(p)
}

// noteLeaving takes in whether a charged pod is being deleted.
func (q *Queues) noteLeaving(p *chargedPod) {
	if p.pod.DeletionTimestamp != nil {
		q.deleting[p.pod.UID] = p
	} else {
		delete(q.deleting, p.pod.UID)
	}
}

// queueCharged returns the name of the queue that is charged for a pod by the tree that is in
// effect. What cannot be charged to a queue of its name is charged to none, "", above all of
// them: it is used all the same.
func (q *Queues) queueCharged(p *chargedPod) string {
	if id, known := q.id(p.queue); !known || p.agreed || q.mayUse(id, p.pod.Namespace) {
		return p.queue
	}
	return ""
}

// accountID returns the queue of an account.
func (q *Queues) accountID(name string) quota.QueueID {
	id, known := q.id(name)
	if !known {
		return quota.RootID
	}
	return id
}

// addCharge charges a pod by the tree that is in effect.
func (q *Queues) addCharge(p *chargedPod) {
	name := q.queueCharged(p)
	a := q.accounts[name]
	if a == nil {
		a = &account{queue: name, id: q.accountID(name), used: make(quota.Vector, len(q.tree.Resources())), gangs: map[workload.ID]int{}, priorities: map[int32]int{}}
		q.accounts[name] = a
	}
	p.account, p.by = a, q.vector(p.asks)
	if err := q.line.Charge(q.now(), a.id, p.by); err != nil {
		// More than can be counted: it is not counted.
		p.by = make(quota.Vector, len(p.by))
	}
	a.used = a.used.Plus(p.by)
	a.pods++
	a.gangs[workload.IDOf(p.pod)]++
	p.priority = workload.PriorityOf(p.pod)
	a.priorities[p.priority]++
	if !p.agreed {
		of := q.unagreed[p.pod.Namespace]
		if of == nil {
			of = map[types.UID]*chargedPod{}
			q.unagreed[p.pod.Namespace] = of
		}
		of[p.pod.UID] = p
	}
}

// removeCharge takes a pod out of its account.
func (q *Queues) removeCharge(p *chargedPod) {
	a, gang := p.account, workload.IDOf(p.pod)
	if err := q.line.Release(q.now(), a.id, p.by); err != nil {
		panic(fmt.Sprintf("releasing what was charged for pod %s/%s: %v", p.pod.Namespace, p.pod.Name, err))
	}
	for r := range a.used {
		a.used[r] = a.used[r].Minus(p.by[r])
	}
	if a.gangs[gang]--; a.gangs[gang] == 0 {
		delete(a.gangs, gang)
	}
	if a.priorities[p.priority]--; a.priorities[p.priority] == 0 {
		delete(a.priorities, p.priority)
	}
	if a.pods--; a.pods == 0 {
		delete(q.accounts, a.queue)
	}
	of := q.unagreed[p.pod.Namespace]
	delete(of, p.pod.UID)
	if len(of) == 0 {
		delete(q.unagreed, p.pod.Namespace)
	}
}

func (q *Queues) release(uid types.UID) {
	if p := q.charged[uid]; p != nil {
		delete(q.charged, uid)
		delete(q.deleting, uid)
		q.tell()
		q.removeCharge(p)
	}
}

// queueNow returns the name of the queue of a pod as things are: that of its gang, if there
// is a verdict on it, comes first, then its own, and then that of its namespace.
func (q *Queues) queueNow(pod *corev1.Pod) string {
	if id := workload.IDOf(pod); id.Group != "" {
		if name, _ := q.gangs.Queue(id.Gang()); name != "" {
			return name
		}
	}
	if name := dialect.Queue(pod.Labels, pod.Annotations); name != "" {
		return name
	}
	return q.ownQueue(pod.Namespace)
}

// ChargedQueue returns the queue that pays for a pod; "" if none does.
func (q *Queues) ChargedQueue(uid types.UID) string {
	if !q.some.Load() {
		return ""
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.charged[uid]; p != nil {
		return p.queue
	}
	return ""
}

// vector returns amounts in the order of the tree.
func (q *Queues) vector(asks corev1.ResourceList) quota.Vector {
	out := make(quota.Vector, len(q.tree.Resources()))
	for r, name := range q.tree.Resources() {
		if amount, ok := asks[corev1.ResourceName(name)]; ok {
			out[r] = max(0, AmountOf(corev1.ResourceName(name), amount))
		}
	}
	return out
}
