package unqueued

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/window"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// failedShare has failed tries take at most one part in so many of the time, where rounds
	// wait for each other.
	failedShare = 4
	// freedAnyway is after how long those that rest are tried again though nothing is known to
	// have happened that gives them room.
	freedAnyway = 10 * time.Second
)

// Windows says who may be tried of the gangs and plain pods of each namespace, while there is
// no queue. Its methods may be called concurrently.
type Windows struct {
	clock clock.PassiveClock
	// reserved reports whether a pod has a place.
	reserved func(uid types.UID) bool

	mu     sync.Mutex
	window *window.Window
	byID   map[string]*windowed
	byPod  map[types.UID]*windowed
	// freed says that room may have come free since the last round, which began at round, and
	// failed how long the tries took that failed since. freedAt is when those that rest were
	// last to be tried again.
	freed   bool
	freedAt time.Time
	round   time.Time
	failed  time.Duration
	// began is when the try began that is under way.
	began time.Time
	news  chan struct{}
}

// windowed is a gang or a plain pod without a place.
type windowed struct {
	id   string
	pods map[types.UID]*corev1.Pod
	// placed says that a pod of it got a node while the others were tried.
	placed bool
	// held says that something else kept it from its try.
	held bool
	// judged is the version of the nodes for which it was judged whether they could hold it, and
	// why is why not; "" if they could.
	judged int64
	why    string
	// renewed says that it has changed since its last try began.
	renewed bool
	// since is when it was admitted.
	since time.Time
}

// New returns windows of so many tries. reserved reports whether a pod has a place.
func New(size int, reserved func(uid types.UID) bool, c clock.PassiveClock) *Windows {
	return &Windows{
		clock: c, reserved: reserved, window: window.New(size), byID: map[string]*windowed{}, byPod: map[types.UID]*windowed{},
		round: c.Now(), freedAt: c.Now(), news: make(chan struct{}, 1),
	}
}

// windowID names the gang of a pod, or a plain pod.
func windowID(pod *corev1.Pod) string {
	if id := workload.IDOf(pod); id.Group != "" {
		return id.Namespace + "/" + id.Group
	}
	return string(pod.UID)
}

// News is sent to when somebody may be tried who was held.
func (w *Windows) News() <-chan struct{} { return w.news }

// Enter reports whether a pod may be tried now. The scheduling queue asks, under its lock. A
// pod that is held is told of by Admit once it may.
func (w *Windows) Enter(pod *corev1.Pod) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := windowID(pod)
	e := w.byID[id]
	if e == nil {
		e = &windowed{id: id, pods: map[types.UID]*corev1.Pod{}}
		w.byID[id] = e
	}
	if _, known := e.pods[pod.UID]; !known && len(e.pods) > 0 {
		w.anew(e)
	}
	e.pods[pod.UID], w.byPod[pod.UID] = pod, e
	if e.held {
		// Whatever held it may not any more.
		e.held = false
		w.window.Again(id)
		w.tell()
	}
	before, _ := w.window.Stage(id)
	entered := w.window.Enter(window.Entity{ID: id, Namespace: pod.Namespace, Priority: workload.PriorityOf(pod)})
	if entered && before != window.Trying {
		e.since = w.clock.Now()
	}
	return entered
}

// Admit returns a pod each of those that may be tried and were held.
func (w *Windows) Admit() []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*corev1.Pod
	for id, ok := w.window.Next(); ok; id, ok = w.window.Next() {
		e := w.byID[id]
		e.since = w.clock.Now()
		out = append(out, anyOf(e.pods))
	}
	return out
}

// anyOf returns the first pod by name.
func anyOf(pods map[types.UID]*corev1.Pod) (first *corev1.Pod) {
	for _, pod := range pods {
		if first == nil || workload.ComparePods(pod, first) < 0 {
			first = pod
		}
	}
	return first
}

// Began says that the scheduler begins to try a pod, or its gang.
func (w *Windows) Began(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = w.clock.Now()
	if e := w.byID[windowID(pod)]; e != nil {
		e.renewed = false
	}
}

// Ended says that the scheduler has tried a pod, or its gang. It reports whether that has no
// place, and is to be judged if the cluster could hold it at all, for this version of the
// nodes.
func (w *Windows) Ended(pod *corev1.Pod, nodes int64) (judge bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.byID[windowID(pod)]
	if e == nil {
		return false
	}
	placed := e.placed
	for uid := range e.pods {
		placed = placed || w.reserved(uid)
	}
	if placed {
		w.forget(e)
		return false
	}
	if stage, _ := w.window.Stage(e.id); stage != window.Trying {
		return false
	}
	w.failed += w.clock.Since(w.began)
	// The scheduling queue would have a gang that was refused tried again at once.
	w.window.Refused(e.id, workload.GangGroup(pod) != "")
	if e.renewed {
		w.anew(e)
		return false
	}
	if e.judged != nodes {
		e.why = ""
		return true
	}
	if e.why != "" {
		w.window.Impossible(e.id)
	}
	return false
}

// Judged says why the cluster could not hold the gang of a pod, or a plain pod, even if nothing
// else ran, as of a version of the nodes; "" if it could.
func (w *Windows) Judged(pod *corev1.Pod, nodes int64, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.byID[windowID(pod)]
	if e == nil || e.renewed {
		return
	}
	e.judged, e.why = nodes, why
	if why != "" {
		w.window.Impossible(e.id)
	}
}

// SetPod takes in a pod that was made or changed, and DeletePod forgets one that is gone.
func (w *Windows) SetPod(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.byPod[pod.UID]
	switch {
	case e == nil:
	case pod.Spec.NodeName != "":
		e.placed = true
		w.drop(pod.UID)
	case workload.SetAside(pod), e.id != windowID(pod):
		w.drop(pod.UID)
	default:
		if was := e.pods[pod.UID]; was.Generation != pod.Generation {
			w.anew(e)
		}
		e.pods[pod.UID] = pod
	}
}

// RenewGang says that the scheduler knows a gang otherwise than before, and ForgetGang that it
// does not any more.
func (w *Windows) RenewGang(key gang.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byID[key.Namespace+"/"+key.GroupName()]; e != nil {
		w.anew(e)
	}
}

// ForgetGang is described with RenewGang.
func (w *Windows) ForgetGang(key gang.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byID[key.Namespace+"/"+key.GroupName()]; e != nil {
		w.forget(e)
	}
}

// anew has one that was refused be tried as if it had just come, also if its try is under way,
// which may be of what it was.
func (w *Windows) anew(e *windowed) {
	e.judged, e.why, e.renewed = 0, "", true
	w.window.Again(e.id)
	w.tell()
}

// DeletePod forgets a pod. One that had a node leaves room.
func (w *Windows) DeletePod(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(pod.UID)
	w.freed = w.freed || pod.Spec.NodeName != ""
}

// Held says that something else holds a pod that was admitted: it is asked for again. Who was
// tried meanwhile is held by the window itself.
func (w *Windows) Held(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byID[windowID(pod)]; e != nil {
		if stage, _ := w.window.Stage(e.id); stage == window.Trying {
			w.window.Held(e.id)
			e.held = true
			w.tell()
		}
	}
}

// Overdue returns a pod each of those that were admitted so long ago and were not tried since.
// Whoever knows that they will not be calls Held.
func (w *Windows) Overdue(after time.Duration) []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	var out []*corev1.Pod
	for _, e := range w.byID {
		if stage, _ := w.window.Stage(e.id); stage == window.Trying && now.Sub(e.since) >= after {
			e.since = now
			out = append(out, anyOf(e.pods))
		}
	}
	return out
}

// drop takes out a pod that waits no more.
func (w *Windows) drop(uid types.UID) {
	e := w.byPod[uid]
	if e == nil {
		return
	}
	delete(w.byPod, uid)
	delete(e.pods, uid)
	if len(e.pods) == 0 {
		w.forget(e)
	}
}

// forget takes out a gang or plain pod.
func (w *Windows) forget(e *windowed) {
	for uid := range e.pods {
		delete(w.byPod, uid)
	}
	delete(w.byID, e.id)
	w.window.Gone(e.id)
	w.tell()
}

// Freed says that there may be room for those that had none.
func (w *Windows) Freed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.freed = true
}

// Again has a gang tried again that was refused, by its name: something is known to have changed
// for it.
func (w *Windows) Again(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byID[name]; e != nil {
		w.anew(e)
	}
}

// MayFit has those tried again that the cluster could not hold: nodes have changed.
func (w *Windows) MayFit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.window.MayFit()
	w.freed = true
}

// Round begins a round, if those that failed in the last one have taken no more than their
// share of the time since, or if the scheduler has nothing else to do than to try somebody for
// the first time. It is to be called often.
func (w *Windows) Round() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	paced := now.Sub(w.round) >= failedShare*w.failed
	if !paced && !w.window.Fresh() {
		return
	}
	// Those that were refused are tried again at the pace alone.
	freed := paced && (w.freed || now.Sub(w.freedAt) >= freedAnyway)
	w.round, w.failed = now, 0
	if !freed && w.window.Idle() {
		return
	}
	if freed {
		w.freed, w.freedAt = false, now
	}
	w.window.Round(freed)
	w.tell()
}

// Clear forgets all, and returns a pod of each: queues decide from now on.
func (w *Windows) Clear() []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*corev1.Pod
	for _, e := range w.byID {
		out = append(out, anyOf(e.pods))
	}
	for _, e := range w.byID {
		w.window.Gone(e.id)
	}
	clear(w.byID)
	clear(w.byPod)
	for _, ok := w.window.Next(); ok; _, ok = w.window.Next() {
	}
	return out
}

// Why says where a pod, or its gang, is that is held, whether it was refused before, and why
// the cluster could not hold it, if that is so; false if it is not held.
func (w *Windows) Why(pod *corev1.Pod) (tried bool, never string, holds bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.byID[windowID(pod)]
	if e == nil {
		return false, "", false
	}
	stage, tried := w.window.Stage(e.id)
	if stage == window.Impossible {
		never = e.why
	}
	return tried, never, stage > window.Open
}

// NeverFit returns the gangs that the cluster could not hold, even if nothing else ran.
func (w *Windows) NeverFit() []gang.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []gang.Key
	for id := range w.window.Impossibles() {
		if e := w.byID[id]; e != nil {
			if of := workload.IDOf(anyOf(e.pods)); of.Group != "" {
				out = append(out, of.Gang())
			}
		}
	}
	return out
}

// tell says that somebody may be tried.
func (w *Windows) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}
