package queueing

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// waiter is a gang or a plain pod that has no place.
type waiter struct {
	id workload.ID
	// name is what it is called in the line, and no other is.
	name string
	// pods are those that wait, and asked what they ask for, as far as it was worked out.
	pods  map[types.UID]*corev1.Pod
	asked map[types.UID]asked
	// ready says that the scheduling queue would have it tried; until then it is not in
	// the line. queued says that it is in the line, refused that there was no room for it.
	ready, queued, refused bool
	// admitted says that it may be tried. number counts those that were admitted: the lower goes
	// first. It does not change while the gang is in the scheduling queue.
	admitted bool
	number   uint64
	// retry says that it is to be tried again if the try that it was admitted for finds no room.
	retry bool
	// queue is the name of the queue in whose line it is, or would be, and refusal why it is
	// not, if that queue is not there or not open to it.
	queue   string
	refusal Refusal
	// claimed is when it was admitted last for others to go, and claimRest how long it is not
	// after that: see Claims.
	claimed   time.Time
	claimRest time.Duration
	// hold says that others leave for it.
	hold bool
	// judged is the version of the nodes for which it was judged last whether the cluster
	// could hold it at all. renewed says that it has changed since its last try began.
	judged  int64
	renewed bool
	// class is what it was judged to be; see Judged. came says that it came into the line, or
	// again, and was not tried since.
	class string
	came  bool
	// told is what its pods were told last of why its turn never comes.
	told string
	// said is the code of what they were told last of why they wait: see Explain.
	said string
}

// Enter reports whether a pod may be tried now. The scheduling queue asks, under its lock,
// whenever it would have the pod tried. One that may not is admitted later: see Admit.
func (q *Queues) Enter(pod *corev1.Pod) bool {
	if !q.some.Load() {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() && q.opened || q.charged[pod.UID] != nil {
		return true
	}
	w := q.wait(pod)
	if w.admitted {
		return true
	}
	w.ready = true
	switch {
	case !q.opened, q.isImpossible(w):
		return false
	case !w.queued:
		q.enqueue(w)
	case w.refused && w.id != q.back:
		q.again(w)
	default:
		return false
	}
	q.tell()
	return false
}

// byName returns the pods in the order of their names.
func (w *waiter) byName() []*corev1.Pod {
	return slices.SortedFunc(maps.Values(w.pods), workload.ComparePods)
}

// any returns the first pod by name.
func (w *waiter) any() *corev1.Pod {
	var first *corev1.Pod
	for _, pod := range w.pods {
		if first == nil || pod.Name < first.Name {
			first = pod
		}
	}
	return first
}

// Some reports whether there is any queue object.
func (q *Queues) Some() bool { return q.some.Load() }

// wait takes in a pod that waits.
func (q *Queues) wait(pod *corev1.Pod) *waiter {
	id := workload.IDOf(pod)
	w := q.waiting[id]
	if w == nil {
		w = &waiter{id: id, pods: map[types.UID]*corev1.Pod{}, asked: map[types.UID]asked{}, name: workload.NameOf(pod)}
		if q.byName[w.name] != nil {
			// Another pod of this name, which is not gone yet.
			w.name += " " + string(pod.UID)
		}
		q.waiting[id], q.byName[w.name] = w, w
		if q.waitingIn[pod.Namespace] == nil {
			q.waitingIn[pod.Namespace] = map[*waiter]struct{}{}
		}
		q.waitingIn[pod.Namespace][w] = struct{}{}
		q.fresh = append(q.fresh, doubt{w, q.clock.Now().Add(explainAfter)})
	}
	if old := q.byPod[pod.UID]; old != nil && old != w {
		q.leave(pod.UID)
	}
	last, known := w.pods[pod.UID]
	if last != pod {
		delete(w.asked, pod.UID)
	}
	w.pods[pod.UID], q.byPod[pod.UID] = pod, w
	if !known || last.Generation != pod.Generation {
		q.renew(w)
	}
	if !known && w.admitted {
		q.again(w)
	}
	return w
}

// leave takes out a pod that waits no more.
func (q *Queues) leave(uid types.UID) {
	w := q.byPod[uid]
	if w == nil {
		return
	}
	namespace := w.pods[uid].Namespace
	q.drop(w, uid)
	if q.forgetEmpty(w, namespace) {
		return
	}
	if w.queued && !w.admitted {
		q.again(w)
	}
}

// drop takes a pod out of a gang.
func (q *Queues) drop(w *waiter, uid types.UID) {
	delete(q.byPod, uid)
	delete(w.pods, uid)
	delete(w.asked, uid)
}

// asked is what a pod asks for, in one version of it.
type asked struct {
	version string
	amounts corev1.ResourceList
}

// asksFor returns what a pod asks for. Of one that waits it is worked out once: its cycle asks
// several times. It is read only.
func (q *Queues) asksFor(pod *corev1.Pod) corev1.ResourceList {
	w := q.byPod[pod.UID]
	if w == nil {
		return q.requests(pod)
	}
	was, known := w.asked[pod.UID]
	if !known || was.version != pod.ResourceVersion {
		was = asked{pod.ResourceVersion, q.requests(pod)}
		w.asked[pod.UID] = was
	}
	return was.amounts
}

// forgetEmpty forgets a gang of which no pod waits.
func (q *Queues) forgetEmpty(w *waiter, namespace string) bool {
	if len(w.pods) > 0 {
		return false
	}
	if w.queued {
		q.line.Gone(w.name)
		q.tell()
	}
	delete(q.waiting, w.id)
	delete(q.byName, w.name)
	delete(q.impossible, w)
	q.refuse(w, Refusal{})
	delete(q.waitingIn[namespace], w)
	if len(q.waitingIn[namespace]) == 0 {
		delete(q.waitingIn, namespace)
	}
	return true
}

// again has a gang in the line anew, as it is now. It keeps its place, and how often it
// was overtaken.
func (q *Queues) again(w *waiter) {
	overtaken := q.line.Overtaken(w.name)
	q.line.Gone(w.name)
	w.queued, w.refused, w.admitted = false, false, false
	q.enqueueWith(w, overtaken)
	q.tell()
}

// enqueue puts a gang into the line of its queue.
func (q *Queues) enqueue(w *waiter) { q.enqueueWith(w, 0) }

func (q *Queues) enqueueWith(w *waiter, overtaken int) {
	pods := w.byName()
	w.queue = q.queueNow(pods[0])
	id, why, ok := q.find(w.queue, pods[0].Namespace)
	q.refuse(w, why)
	if !ok {
		q.stuck = append(q.stuck, w)
		return
	}
	delete(q.impossible, w)
	overtaken = max(overtaken, 0)
	if w.id.Group != "" && q.gangs.Pinned(w.id.Gang()) {
		// Those of a gang that runs come where the others are, and room there may not come for days.
		overtaken = admission.NeverBars
	}
	g := admission.Gang{Name: w.name, Queue: id, Priority: workload.PriorityOf(pods[0]), Asks: q.asks(w, pods), Overtaken: overtaken}
	g.Arrived = quota.Time(pods[0].CreationTimestamp.UnixNano())
	for _, pod := range pods {
		g.Arrived = min(g.Arrived, quota.Time(pod.CreationTimestamp.UnixNano()))
	}
	// The name is its own, and the amounts are of this tree and not negative.
	w.queued, w.came = q.line.Push(g) == nil, true
	if w.hold {
		q.line.Hold(w.name)
	}
	q.tellStuck(w)
}

// asks returns what a gang asks for with as many of the pods, in their order, as have to
// find a place together.
func (q *Queues) asks(w *waiter, pods []*corev1.Pod) quota.Vector {
	needed := len(pods)
	if w.id.Group != "" {
		need, standing := q.gangs.Need(w.id.Gang())
		needed = min(needed, max(1, int(need-standing)))
	}
	sum := make(quota.Vector, len(q.tree.Resources()))
	for _, pod := range pods[:needed] {
		sum = sum.Plus(q.vector(q.asksFor(pod)))
	}
	return sum
}

// open takes in that there are no queues any more: nobody waits for one.
func (q *Queues) open() {
	q.some.Store(false)
	q.released = q.released[:0]
	for _, name := range slices.Sorted(maps.Keys(q.byName)) {
		if w := q.byName[name]; w.ready && !w.admitted {
			q.released = append(q.released, w.any())
		}
	}
	clear(q.waiting)
	clear(q.byName)
	clear(q.byPod)
	clear(q.impossible)
	clear(q.waitingIn)
	clear(q.denied)
	q.fresh, q.known = nil, nil
	q.tell()
}

// tell says that somebody may be admitted.
func (q *Queues) tell() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

func (q *Queues) now() quota.Time { return quota.Time(q.clock.Now().UnixNano()) }

// Placed reports whether a pod has a place, as far as it is charged for it.
func (q *Queues) Placed(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.charged[uid] != nil
}

// Reserved reports whether a pod is to get a node, or has one that the API server did not tell
// yet, whether anybody pays for it or not.
func (q *Queues) Reserved(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reserved[uid] != nil
}

// Waits reports whether a gang or plain pod of that name waits.
func (q *Queues) Waits(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byName[name] != nil
}
