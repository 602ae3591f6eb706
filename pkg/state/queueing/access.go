package queueing

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// QueueNotAllowed: the namespace of the gang may not use the queue.
const QueueNotAllowed QueueCode = "QueueNotAllowed"

// accessOf translates what a Queue says of who may use it.
func accessOf(spec *v1alpha1.QueueSpec) quota.Access {
	access := quota.Access{Namespaces: spec.Namespaces}
	if spec.NamespaceSelector != nil {
		s, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector)
		if err != nil {
			access.Invalid = err.Error()
			s = labels.Nothing()
		}
		access.Selector = labelSelector{s}
	}
	return access
}

type labelSelector struct{ labels.Selector }

// Selects reports whether it selects a namespace with these labels.
func (s labelSelector) Selects(of map[string]string) bool { return s.Matches(labels.Set(of)) }

// OpenToAll has every namespace use every queue, for clusters in which all trust each other.
// It is to be called before Open.
func (q *Queues) OpenToAll() { q.openToAll = true }

// SetNamespace takes in a namespace: its labels say which queue its pods have that name
// none, and which queues they may use. Who has a place keeps it, and is paid for as before.
func (q *Queues) SetNamespace(namespace *corev1.Namespace) {
	q.setNamespace(namespace.Name, namespace.Labels)
}

// DeleteNamespace forgets a namespace.
func (q *Queues) DeleteNamespace(name string) { q.setNamespace(name, nil) }

func (q *Queues) setNamespace(name string, of map[string]string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if maps.Equal(q.namespaces[name], of) {
		return
	}
	if len(of) == 0 {
		delete(q.namespaces, name)
	} else {
		q.namespaces[name] = of
	}
	if !q.opened || q.stale || q.tree == nil {
		return // all are looked at anyway, or there are no queues
	}
	q.rejudgeAll(slices.Collect(maps.Keys(q.waitingIn[name])))
	q.recheckCharges(name)
}

// ownQueue returns the queue of the pods of a namespace that name none: that of its label,
// or of its ElasticQuota, which has its name.
func (q *Queues) ownQueue(namespace string) string {
	if name := dialect.NamespaceQueue(q.namespaces[namespace]); name != "" {
		return name
	}
	if len(q.elastic[namespace]) > 0 {
		return namespace
	}
	return DefaultQueue
}

// mayUse reports whether gangs of a namespace may use a queue.
func (q *Queues) mayUse(id quota.QueueID, namespace string) bool {
	return q.openToAll || q.tree.MayUse(id, quota.Namespace{Name: namespace, Labels: q.namespaces[namespace], Queue: q.ownQueue(namespace)})
}

// find returns the queue of a name for a gang of a namespace, or why the gang does not get
// into it.
func (q *Queues) find(name, namespace string) (quota.QueueID, Refusal, bool) {
	id, known := q.id(name)
	switch {
	case !known:
		return id, notFound(name), false
	case !q.mayUse(id, namespace):
		return id, q.notAllowed(id, name, namespace), false
	}
	return id, Refusal{}, true
}

func notFound(name string) Refusal {
	return Refusal{Code: QueueNotFound, Queue: name, Text: fmt.Sprintf("there is no queue %q: make it, or name another with label berth.dev/queue", name)}
}

// notAllowed says why gangs of a namespace may not use a queue, and who can change that.
func (q *Queues) notAllowed(id quota.QueueID, name, namespace string) Refusal {
	out := Refusal{Code: QueueNotAllowed, Queue: name}
	if _, object := q.objects[name]; !object && name != DefaultQueue {
		out.Text = fmt.Sprintf("queue %q is the ElasticQuota of namespace %q, and of no other: name another queue with label berth.dev/queue", name, name)
		return out
	}
	if by := q.tree.AccessOf(id); by != quota.NoQueue {
		out.Text = fmt.Sprintf("namespace %q may not use queue %q: neither spec.namespaces nor spec.namespaceSelector of queue %q has it; "+
			"have its administrator add the namespace there, or name another queue with label berth.dev/queue", namespace, name, q.tree.Name(by))
		return out
	}
	out.Text = fmt.Sprintf("namespace %q may not use queue %q, which has a guarantee and names no namespaces; "+
		"have an administrator add the namespace to spec.namespaces of the queue, or label the namespace berth.dev/queue=%s, "+
		"or name another queue with label berth.dev/queue", namespace, name, name)
	return out
}

// refuse notes why a gang is not in the line; the zero value if it is. Counts are kept of
// those that may not use their queue.
func (q *Queues) refuse(w *waiter, why Refusal) {
	if was := w.refusal; was.Code == QueueNotAllowed {
		if q.denied[was.Queue]--; q.denied[was.Queue] == 0 {
			delete(q.denied, was.Queue)
		}
	}
	if why.Code == QueueNotAllowed {
		q.denied[why.Queue]++
	}
	if w.refusal.Code == QueueNotAllowed && why.Code != QueueNotAllowed {
		w.told = "" // it is news if it comes to be again
	}
	w.refusal = why
}

// rejudgeAll is rejudge of some, by name.
func (q *Queues) rejudgeAll(all []*waiter) {
	slices.SortFunc(all, func(a, b *waiter) int { return strings.Compare(a.name, b.name) })
	for _, w := range all {
		q.rejudge(w)
	}
}

// rejudge has a gang be where it belongs, if what it names, or may use, is not what it was.
func (q *Queues) rejudge(w *waiter) {
	if !w.ready {
		return
	}
	pod := w.byName()[0]
	name := q.queueNow(pod)
	_, refusal, ok := q.find(name, pod.Namespace)
	same := refusal == w.refusal || ok && w.refusal.Code == NeverFits
	if name != w.queue || !same {
		q.again(w)
	}
}

// GangChanged looks at what a gang says of its queue.
func (q *Queues) GangChanged(key gang.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return
	}
	w := q.waiting[workload.IDOfGang(key)]
	if w == nil {
		return
	}
	if w.admitted && q.gangs.Verdict(key).Action != gang.Admit {
		// The scheduling queue puts its pods aside without a try, so none will end.
		q.giveBack(w)
	}
	q.rejudge(w)
}

// AmountOf returns a quantity in the unit in which its resource is counted: thousandths of
// a core for CPU, and whole units of all else. Parts of a unit count as one.
func AmountOf(name corev1.ResourceName, q resource.Quantity) quota.Amount {
	most := int64(math.MaxInt64 - 1)
	if name == corev1.ResourceCPU {
		most /= 1000
	}
	switch {
	case q.CmpInt64(most) > 0:
		return quota.Most
	case name == corev1.ResourceCPU:
		return quota.Amount(q.MilliValue())
	}
	return quota.Amount(q.Value())
}

// QuantityOf is the inverse of AmountOf, for whole units.
func QuantityOf(name corev1.ResourceName, amount quota.Amount) resource.Quantity {
	switch name {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(int64(amount), resource.DecimalSI)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return *resource.NewQuantity(int64(amount), resource.BinarySI)
	}
	return *resource.NewQuantity(int64(amount), resource.DecimalSI)
}

// QueueSpec translates a Queue.
func QueueSpec(q *v1alpha1.Queue) quota.Spec {
	spec := quota.Spec{Name: q.Name, Parent: q.Spec.Parent, Resources: make(map[string]quota.Quota, len(q.Spec.Resources)), Access: accessOf(&q.Spec)}
	for i := range q.Spec.Resources {
		r := &q.Spec.Resources[i]
		name := corev1.ResourceName(r.Name)
		of := quota.Quota{Guaranteed: amountOf(name, r.Guaranteed), Limit: amountOf(name, r.Limit)}
		if r.Weight != nil {
			weight := quota.Amount(*r.Weight)
			of.Weight = &weight
		}
		spec.Resources[r.Name] = of
	}
	switch q.Spec.Order {
	case v1alpha1.OrderPriority:
		spec.Order = quota.Priority
	case v1alpha1.OrderFIFO:
		spec.Order = quota.FIFO
	}
	if h := q.Spec.FairShareHalfLife; h != nil {
		spec.HalfLife = h.Duration
	}
	p := &q.Spec.Preemption
	// By default, gangs of a queue yield to those of a higher priority only.
	spec.Preemption = quota.Preemption{WithinQueue: whom(p.WithinQueue, quota.LowerPriority), Reclaim: whom(p.Reclaim, quota.Any)}
	if p.MinRuntime != nil {
		spec.Preemption.MinRuntime = p.MinRuntime.Duration
	}
	if p.GraceBeforeReclaim != nil {
		spec.Preemption.Grace = p.GraceBeforeReclaim.Duration
	}
	return spec
}

func amountOf(name corev1.ResourceName, q *resource.Quantity) *quota.Amount {
	if q == nil {
		return nil
	}
	amount := AmountOf(name, *q)
	return &amount
}

func whom(policy v1alpha1.PreemptionPolicy, byDefault quota.Whom) quota.Whom {
	switch policy {
	case v1alpha1.PreemptAny:
		return quota.Any
	case v1alpha1.PreemptLowerPriority:
		return quota.LowerPriority
	case v1alpha1.PreemptNever:
		return quota.Never
	}
	return byDefault
}

// ElasticQuotaSpec translates an ElasticQuota of scheduler-plugins: a queue with the name of
// its namespace, which alone may use it.
func ElasticQuotaSpec(obj *unstructured.Unstructured) quota.Spec {
	guaranteed, limit := dialect.ElasticQuota(obj)
	spec := quota.Spec{
		Name: obj.GetNamespace(), Resources: map[string]quota.Quota{}, Preemption: quota.Preemption{WithinQueue: quota.LowerPriority},
		Access: quota.Access{Namespaces: []string{obj.GetNamespace()}},
	}
	for name, q := range guaranteed {
		of := spec.Resources[string(name)]
		of.Guaranteed = amountOf(name, &q)
		spec.Resources[string(name)] = of
	}
	for name, q := range limit {
		of := spec.Resources[string(name)]
		of.Limit = amountOf(name, &q)
		spec.Resources[string(name)] = of
	}
	return spec
}
