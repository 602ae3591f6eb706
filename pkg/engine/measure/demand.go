package measure

import (
	"cmp"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Demand keeps what waiting pods ask for and were told, and since when bound pods do not run yet.
// Each pod costs a map entry while it waits, and another until it runs. All sums are kept as pods
// come, go and are told something; nothing is summed up anew.
type Demand struct {
	clock clock.PassiveClock
	ours  func(scheduler string) bool
	// devices says what a pod asks for.
	devices func(pod *corev1.Pod) (corev1.ResourceName, int64)

	mu sync.Mutex
	// waiting are the pods without a node, and by the sums of gangs and plain pods.
	waiting map[types.UID]waitingPod
	by      map[Who]*waitingSum
	// asked are the devices that they ask for, pending the same by what they were told, and held
	// how many gangs were told what. silent are the gangs that were told nothing yet.
	asked   map[corev1.ResourceName]int64
	pending map[reasonKey]int64
	held    map[string]int
	silent  sets.Set[Who]
	// bound are pods that are bound and were not seen to run.
	bound map[types.UID]boundPod
}

// waitingPod is a pod without a node. One that scheduling gates hold asks for no devices yet.
type waitingPod struct {
	who      Who
	resource corev1.ResourceName
	devices  int64
	gated    bool
}

// waitingSum is what a gang, or a plain pod, waits for.
type waitingSum struct {
	resource corev1.ResourceName
	devices  int64
	pods     int
	// reason is what a pod of it was told last, as a label; "" if none was told anything.
	reason string
}

type boundPod struct {
	at   time.Time
	size string
}

func NewDemand(c clock.PassiveClock, ours func(string) bool, devices func(*corev1.Pod) (corev1.ResourceName, int64)) *Demand {
	return &Demand{
		clock: c, ours: ours, devices: devices, waiting: map[types.UID]waitingPod{}, by: map[Who]*waitingSum{},
		asked: map[corev1.ResourceName]int64{}, pending: map[reasonKey]int64{}, held: map[string]int{}, silent: sets.New[Who](),
		bound: map[types.UID]boundPod{},
	}
}

// Who names a gang by its group, or a plain pod by its name: who waits.
type Who struct {
	Namespace, Group, Pod string
}

// WhoOf names the gang of a pod, or the pod if it is in none.
func WhoOf(pod *corev1.Pod) Who {
	who := Who{Namespace: pod.Namespace, Group: workload.GangGroup(pod)}
	if who.Group == "" {
		who.Pod = pod.Name
	}
	return who
}

// SetPod takes in a pod that was made or changed.
func (d *Demand) SetPod(pod *corev1.Pod) {
	if !d.ours(pod.Spec.SchedulerName) {
		return
	}
	waiting := pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && !Over(pod)
	gated := len(pod.Spec.SchedulingGates) > 0
	d.mu.Lock()
	p, known := d.waiting[pod.UID]
	if b, some := d.bound[pod.UID]; some && (pod.Status.Phase == corev1.PodRunning || Over(pod)) {
		delete(d.bound, pod.UID)
		if pod.Status.Phase == corev1.PodRunning {
			podStart.WithLabelValues(b.size).Observe(d.clock.Since(b.at).Seconds())
		}
	}
	same := known && waiting && p.gated == gated
	switch {
	case same:
		d.tell(p.who, pod)
	case !waiting:
		d.forget(pod.UID)
	}
	d.mu.Unlock()
	if same || !waiting {
		return
	}
	resource, n := d.devices(pod)
	if gated {
		n = 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait(pod, waitingPod{WhoOf(pod), resource, n, gated})
}

// wait takes in a pod that waits, or waits for something else than before.
func (d *Demand) wait(pod *corev1.Pod, p waitingPod) {
	old, known := d.waiting[pod.UID]
	d.waiting[pod.UID] = p
	d.change(p.who, func(sum *waitingSum) {
		if sum.devices == 0 {
			sum.resource = p.resource
		}
		sum.devices, sum.pods = sum.devices+p.devices, sum.pods+1
	})
	d.add(p.resource, p.devices)
	if known {
		d.leave(old)
	}
	d.tell(p.who, pod)
}

// tell takes in what a pod was told. What scheduling gates hold says so by itself, and does not
// speak for others of its gang.
func (d *Demand) tell(who Who, pod *corev1.Pod) {
	last, reason := d.by[who].reason, ""
	switch {
	case len(pod.Spec.SchedulingGates) > 0 && last != "":
		return
	case len(pod.Spec.SchedulingGates) > 0 && who.Group != "":
		reason = string(gang.GatedMember)
	case waitreason.Said(pod):
		reason = waitreason.ConditionOf(pod).Reason
	}
	if reason == "" || reason == last {
		return
	}
	if reason = waitreason.Label(reason); reason != last {
		d.change(who, func(sum *waitingSum) { sum.reason = reason })
	}
}

// forget takes out a pod that waits no more.
func (d *Demand) forget(uid types.UID) {
	p, known := d.waiting[uid]
	if !known {
		return
	}
	delete(d.waiting, uid)
	d.leave(p)
}

// leave takes a pod out of the sums.
func (d *Demand) leave(p waitingPod) {
	d.add(p.resource, -p.devices)
	d.change(p.who, func(sum *waitingSum) { sum.devices, sum.pods = sum.devices-p.devices, sum.pods-1 })
}

// change changes the sum of a gang or plain pod, and with it what is counted of all.
func (d *Demand) change(who Who, f func(*waitingSum)) {
	sum := d.by[who]
	if sum == nil {
		sum = &waitingSum{}
		d.by[who] = sum
	}
	d.count(who, sum, -1)
	f(sum)
	d.count(who, sum, 1)
	if sum.pods == 0 {
		delete(d.by, who)
	}
}

// count adds a sum to what is counted of all, or takes it out.
func (d *Demand) count(who Who, sum *waitingSum, sign int) {
	if sum.devices != 0 {
		key := reasonKey{sum.resource, cmp.Or(sum.reason, waitreason.NotTried)}
		if d.pending[key] += int64(sign) * sum.devices; d.pending[key] == 0 {
			delete(d.pending, key)
		}
	}
	switch {
	case sum.pods == 0 || who.Group == "":
	case sum.reason != "":
		if d.held[sum.reason] += sign; d.held[sum.reason] == 0 {
			delete(d.held, sum.reason)
		}
	case sign > 0:
		d.silent.Insert(who)
	default:
		d.silent.Delete(who)
	}
}

func (d *Demand) add(resource corev1.ResourceName, n int64) {
	if d.asked[resource] += n; d.asked[resource] == 0 {
		delete(d.asked, resource)
	}
}

// DeletePod forgets a pod that is gone.
func (d *Demand) DeletePod(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(uid)
	delete(d.bound, uid)
}

// Bound takes in that this process has bound a pod.
func (d *Demand) Bound(pod *corev1.Pod) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waited, known := d.waiting[pod.UID]
	if !known {
		_, waited.devices = d.devices(pod)
	}
	size, now := podSizes.Of(waited.devices), d.clock.Now()
	if !pod.CreationTimestamp.IsZero() {
		podWait.WithLabelValues(size).Observe(max(0, now.Sub(pod.CreationTimestamp.Time).Seconds()))
	}
	d.bound[pod.UID] = boundPod{now, size}
}

// Asked returns how many devices waiting pods ask for.
func (d *Demand) Asked() map[corev1.ResourceName]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.asked)
}

// Pending returns how many devices waiting pods ask for, by what they were told last.
func (d *Demand) Pending() map[reasonKey]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.pending)
}

// Held returns how many gangs wait, by what a pod of theirs was told last, and those of which
// none was told anything.
func (d *Demand) Held() (told map[string]int, silent []Who) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.held), d.silent.UnsortedList()
}

// Told returns what a pod of a gang was told last, as a label; "" if none was told anything.
func (d *Demand) Told(who Who) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sum := d.by[who]; sum != nil {
		return sum.reason
	}
	return ""
}

func Over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
