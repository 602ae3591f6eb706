package engine

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/state"
)

// demand keeps what waiting pods ask for, and since when bound pods do not run yet. Each pod
// costs a map entry while it waits, and another until it runs; nothing is summed up anew.
type demand struct {
	clock clock.PassiveClock
	ours  func(scheduler string) bool
	// devices says what a pod asks for.
	devices func(pod *corev1.Pod) (corev1.ResourceName, int64)

	mu sync.Mutex
	// asked are the devices that waiting pods ask for, and by the sums of gangs and plain pods.
	asked   map[corev1.ResourceName]int64
	waiting map[types.UID]waitingPod
	by      map[waits]*waitingSum
	// bound are pods that are bound and were not seen to run.
	bound map[types.UID]boundPod
}

type waitingPod struct {
	who      waits
	resource corev1.ResourceName
	devices  int64
}

// waitingSum is what a gang, or a plain pod, waits for.
type waitingSum struct {
	resource corev1.ResourceName
	devices  int64
	pods     int
	// pod is one of them.
	pod types.NamespacedName
}

type boundPod struct {
	at   time.Time
	size string
}

func newDemand(c clock.PassiveClock, ours func(string) bool, devices func(*corev1.Pod) (corev1.ResourceName, int64)) *demand {
	return &demand{
		clock: c, ours: ours, devices: devices, asked: map[corev1.ResourceName]int64{}, waiting: map[types.UID]waitingPod{},
		by: map[waits]*waitingSum{}, bound: map[types.UID]boundPod{},
	}
}

// whoOf names the gang of a pod, or the pod if it is in none.
func whoOf(pod *corev1.Pod) waits {
	who := waits{namespace: pod.Namespace, group: state.GangGroup(pod)}
	if who.group == "" {
		who.pod = pod.Name
	}
	return who
}

// SetPod takes in a pod that was made or changed.
func (d *demand) SetPod(pod *corev1.Pod) {
	if !d.ours(pod.Spec.SchedulerName) {
		return
	}
	waiting := pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && len(pod.Spec.SchedulingGates) == 0 && !over(pod)
	d.mu.Lock()
	_, known := d.waiting[pod.UID]
	if b, some := d.bound[pod.UID]; some && (pod.Status.Phase == corev1.PodRunning || over(pod)) {
		delete(d.bound, pod.UID)
		if pod.Status.Phase == corev1.PodRunning {
			podStart.WithLabelValues(b.size).Observe(d.clock.Since(b.at).Seconds())
		}
	}
	if known && !waiting {
		d.forget(pod.UID)
	}
	d.mu.Unlock()
	if known || !waiting {
		return
	}
	resource, n := d.devices(pod)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait(pod, resource, n)
}

func (d *demand) wait(pod *corev1.Pod, resource corev1.ResourceName, n int64) {
	if n == 0 {
		return
	}
	who := whoOf(pod)
	d.waiting[pod.UID] = waitingPod{who, resource, n}
	d.asked[resource] += n
	sum := d.by[who]
	if sum == nil {
		sum = &waitingSum{resource: resource, pod: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}}
		d.by[who] = sum
	}
	sum.devices, sum.pods = sum.devices+n, sum.pods+1
}

// forget takes out a pod that waits no more.
func (d *demand) forget(uid types.UID) {
	p, known := d.waiting[uid]
	if !known {
		return
	}
	delete(d.waiting, uid)
	d.asked[p.resource] -= p.devices
	sum := d.by[p.who]
	if sum.devices, sum.pods = sum.devices-p.devices, sum.pods-1; sum.pods == 0 {
		delete(d.by, p.who)
	}
}

// DeletePod forgets a pod that is gone.
func (d *demand) DeletePod(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(uid)
	delete(d.bound, uid)
}

// Bound takes in that this process has bound a pod.
func (d *demand) Bound(pod *corev1.Pod) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waited, known := d.waiting[pod.UID]
	if !known {
		_, waited.devices = d.devices(pod)
	}
	size, now := podSizes.of(waited.devices), d.clock.Now()
	if !pod.CreationTimestamp.IsZero() {
		podWait.WithLabelValues(size).Observe(max(0, now.Sub(pod.CreationTimestamp.Time).Seconds()))
	}
	d.bound[pod.UID] = boundPod{now, size}
}

// Asked returns how many devices waiting pods ask for.
func (d *demand) Asked() map[corev1.ResourceName]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[corev1.ResourceName]int64, len(d.asked))
	for resource, n := range d.asked {
		out[resource] = n
	}
	return out
}

// Waiting returns what each gang, and each plain pod, that waits asks for.
func (d *demand) Waiting() []waitingSum {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]waitingSum, 0, len(d.by))
	for _, sum := range d.by {
		out = append(out, *sum)
	}
	return out
}

func over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
