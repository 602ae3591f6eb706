package reporting

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

// silentFirst is how many pods that say nothing yet are told why they wait before one that says
// something is told anew.
const silentFirst = 8

// conditionQueue is the order in which conditions are written: those of pods that say nothing
// yet go first, and of each kind one of each namespace after another, so that the 10,000 pods
// of one namespace hold up the word to another namespace's pod by no more than a moment. It is
// the inner queue of a work queue, which calls it under its lock.
type conditionQueue struct {
	// silent reports whether a pod says nothing yet.
	silent func(name types.NamespacedName) bool
	// first are those that say nothing yet, and again the others.
	first, again namespaceRoundRobin
	// taken counts those of first since one of again.
	taken int
}

var _ workqueue.Queue[types.NamespacedName] = &conditionQueue{}

// Touch is called for what is in the queue already: it keeps its place.
func (q *conditionQueue) Touch(types.NamespacedName) {}

// Push adds a pod.
func (q *conditionQueue) Push(name types.NamespacedName) {
	if q.silent(name) {
		q.first.push(name)
	} else {
		q.again.push(name)
	}
}

// Len returns how many there are.
func (q *conditionQueue) Len() int { return q.first.len + q.again.len }

// Pop returns the next, of which there is one.
func (q *conditionQueue) Pop() types.NamespacedName {
	if q.first.len > 0 && (q.again.len == 0 || q.taken < silentFirst) {
		q.taken++
		return q.first.pop()
	}
	q.taken = 0
	return q.again.pop()
}

// namespaceRoundRobin are pods, in the order of their coming in each namespace, and one of each
// namespace after another.
type namespaceRoundRobin struct {
	of    map[string][]types.NamespacedName
	order []string
	len   int
}

func (t *namespaceRoundRobin) push(name types.NamespacedName) {
	if t.of == nil {
		t.of = map[string][]types.NamespacedName{}
	}
	if len(t.of[name.Namespace]) == 0 {
		t.order = append(t.order, name.Namespace)
	}
	t.of[name.Namespace] = append(t.of[name.Namespace], name)
	t.len++
}

func (t *namespaceRoundRobin) pop() types.NamespacedName {
	namespace := t.order[0]
	t.order = t.order[1:]
	names := t.of[namespace]
	if t.of[namespace] = names[1:]; len(names) > 1 {
		t.order = append(t.order, namespace)
	} else {
		delete(t.of, namespace)
	}
	t.len--
	return names[0]
}
