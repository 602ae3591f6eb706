package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
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
	w := q.waiting[waiterOfGang(key)]
	if w == nil {
		return
	}
	if w.letIn && q.gangs.Verdict(key).Action != gang.Admit {
		// The scheduling queue puts its pods aside without a try, so none will end.
		q.giveBack(w)
	}
	q.rejudge(w)
}
