package departures

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// settleTime is how long after its first pod the owners of a gang are read.
	settleTime = 5 * time.Second
	// freshFor is for how long what is known is not read again.
	freshFor = time.Minute
	// readsPerSecond and burst bound the gangs whose owners are read.
	readsPerSecond, burst = 5, 50
)

// Owners reads the owners of pods.
type Owners interface {
	// Owners returns the controllers of a pod, from the nearest, as far as they are known and
	// may be read.
	Owners(ctx context.Context, pod *corev1.Pod) ([]dialect.OwnerObject, error)
	// MaySuspend reports whether Berth may suspend objects of a resource.
	MaySuspend(ctx context.Context, r schema.GroupResource) bool
}

// Queues says whose places others may be entitled to.
type Queues interface {
	Reclaimable(pod *corev1.Pod) bool
}

// Departures keeps what is known of gangs.
type Departures struct {
	owners  Owners
	queues  Queues
	client  kubernetes.Interface
	wrote   func()
	clock   clock.WithTicker
	limiter flowcontrol.PassiveRateLimiter
	queue   workqueue.TypedDelayingInterface[string]

	mu sync.Mutex
	// gangs are those with pods that have a controller, by name; of are those of pods.
	gangs map[string]*entry
	of    map[types.UID]*entry
}

// entry is what is known of a gang.
type entry struct {
	name string
	// group is that of its pods, "" for a plain pod.
	group string
	pods  map[types.UID]*corev1.Pod
	fate  queueing.Fate
	// sequence is how its owners make its pods.
	sequence dialect.Sequence
	// read is when that was; zero for never.
	read time.Time
	// asked says that somebody wants to know, whatever its queue.
	asked bool
	// told is the owner that was told that it would not survive.
	told types.UID
}

// New returns what knows nothing yet. wrote is called for each request that writes.
func New(owners Owners, queues Queues, client kubernetes.Interface, c clock.WithTicker, wrote func()) *Departures {
	return &Departures{
		owners: owners, queues: queues, client: client, clock: c, wrote: wrote,
		limiter: flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(readsPerSecond, burst, c),
		queue:   workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{Clock: c}),
		gangs:   map[string]*entry{}, of: map[types.UID]*entry{},
	}
}

// Set takes in a pod that was made or changed.
func (d *Departures) Set(pod *corev1.Pod) {
	if metav1.GetControllerOfNoCopy(pod) == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.of[pod.UID]; e != nil {
		if e.group == workload.GangGroup(pod) {
			e.pods[pod.UID] = pod
			return
		}
		d.drop(pod.UID)
	}
	name := workload.NameOf(pod)
	e := d.gangs[name]
	if e == nil {
		e = &entry{name: name, group: workload.GangGroup(pod), pods: map[types.UID]*corev1.Pod{}}
		d.gangs[name] = e
		if e.group != "" {
			d.queue.AddAfter(name, settleTime)
		}
	}
	d.of[pod.UID], e.pods[pod.UID] = e, pod
}

// Gone takes in that a pod is gone or has ended.
func (d *Departures) Gone(pod types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(pod)
}

func (d *Departures) drop(pod types.UID) {
	e := d.of[pod]
	if e == nil {
		return
	}
	delete(d.of, pod)
	if delete(e.pods, pod); len(e.pods) == 0 {
		delete(d.gangs, e.name)
	}
}

// Known reports whether the owners of a gang were read, or it has none that could be.
func (d *Departures) Known(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.gangs[name]
	return e == nil || !e.read.IsZero()
}

// Of returns what becomes of a gang, as far as it is known, and has it read if that is old.
func (d *Departures) Of(name string) queueing.Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.gangs[name]
	if e == nil {
		return queueing.Fate{}
	}
	if e.read.IsZero() || d.clock.Now().Sub(e.read) >= freshFor {
		e.asked = true
		d.queue.Add(name)
	}
	return e.fate
}

// Sequence returns how the owners of a gang make its pods, and has them read if what is known of
// it is old; false if nothing is known of it yet.
func (d *Departures) Sequence(key gang.Key) (dialect.Sequence, bool) {
	name := workload.NameOfGang(key)
	d.Of(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.gangs[name]
	if e == nil {
		return dialect.Sequence{}, true
	}
	return e.sequence, !e.read.IsZero()
}
