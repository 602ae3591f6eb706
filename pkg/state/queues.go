package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
)

// DefaultQueue is the queue of pods that name none. It needs no object: without one it is
// guaranteed nothing, has no limit, and gets what all others leave.
const DefaultQueue = "default"

// Queues says which queue pays for which pod, and what each uses. A pod is charged when it
// gets a node, in Reserve or because it has one, and until it is gone: once, however often
// it is told. Its methods may be called concurrently.
//
// While there is no queue object at all, nobody pays for anything, and nothing is kept but
// which pods are reserved. Until Open is called nobody is let in, for it is not known yet
// what queues there are.
type Queues struct {
	gangs    *Gangs
	requests func(pod *corev1.Pod) corev1.ResourceList
	list     func() []*corev1.Pod

	mu      sync.Mutex
	objects map[string]queueObject
	// elastic are the ElasticQuotas of each namespace by name; the first by name counts.
	elastic    map[string]map[string]quota.Spec
	namespaces map[string]string
	// nodes are what each node has, capacity the sum in the order of the tree.
	nodes map[string]corev1.ResourceList
	// resized says that the nodes changed since the line was told what they have. total is
	// what all of them have, in the order of the tree; nil if it is not worked out.
	resized bool
	total   quota.Vector
	// stale is set while tree and admission are not those of the objects.
	stale  bool
	tree   *quota.Tree
	line   *admission.Admission
	payers map[types.UID]*payer
	// gangPayers are those of each gang.
	gangPayers map[waiterID]map[types.UID]*payer
	// shares are the fair shares as of an instant; nil if the tree is another since.
	shares   []quota.Vector
	sharesAt time.Time
	// reserved are pods that are to get a node and whose node the API server did not tell
	// yet. They are known even where nobody pays.
	reserved map[types.UID]*corev1.Pod
	// gangQueues are the queues that gangs with payers name, "" for none.
	gangQueues map[gang.Key]string

	// Who waits: see waiting.go.
	config  admission.Config
	clock   clock.PassiveClock
	waiting map[waiterID]*waiter
	byName  map[string]*waiter
	byPod   map[types.UID]*waiter
	letIn   uint64
	// stuck are those whose turn it never is as things are, that were not told yet.
	stuck []*waiter
	// back is the gang that the scheduling queue is taking back after it was tried.
	back waiterID
	// released are a pod each of those that waited when the last queue went.
	released []*corev1.Pod
	// fresh are those that wait and whose reason was not looked at, in the order in which that
	// is due, and known the others. explained is how many pods may be told of it.
	fresh, known []doubt
	explained    int
	// claims are a pod each of those that were let in for others to go, and trial is who is
	// tried out without others.
	claims []*corev1.Pod
	trial  waiterID
	// tallies count what became of the gangs of each queue, by name.
	tallies map[string]*QueueTally
	// freed says that there may be room that was not there when the last round began of tries
	// of those that had none; see Retry. round is when it began, zero if it has ended, and
	// rest until when there is no other.
	freed bool
	round time.Time
	rest  time.Time
	// opened is set by Open. some is set while there may be any queue object, for those that
	// ask often.
	opened bool
	some   atomic.Bool
	news   chan struct{}
	chose  func(took time.Duration)
}

// queueObject is a Queue. Of two that cannot both have what they are guaranteed, the older
// has it.
type queueObject struct {
	spec       quota.Spec
	generation int64
	created    int64
}

// payer is a pod with a node.
type payer struct {
	pod   *corev1.Pod
	queue string
	asks  corev1.ResourceList
	id    quota.QueueID
	by    quota.Vector
}

// NewQueues returns queues of which nothing is known yet. requests says what a pod asks for,
// and list returns the pods that were told so far.
func NewQueues(gangs *Gangs, requests func(pod *corev1.Pod) corev1.ResourceList, list func() []*corev1.Pod, config admission.Config, c clock.PassiveClock) *Queues {
	q := &Queues{
		gangs: gangs, requests: requests, list: list, config: config, clock: c,
		nodes: map[string]corev1.ResourceList{}, news: make(chan struct{}, 1),
		waiting: map[waiterID]*waiter{}, byName: map[string]*waiter{}, byPod: map[types.UID]*waiter{},
		objects: map[string]queueObject{}, elastic: map[string]map[string]quota.Spec{}, namespaces: map[string]string{},
		tallies: map[string]*QueueTally{},
		payers:  map[types.UID]*payer{}, gangPayers: map[waiterID]map[types.UID]*payer{}, reserved: map[types.UID]*corev1.Pod{}, gangQueues: map[gang.Key]string{},
	}
	q.some.Store(true)
	return q
}

// Open says that all objects that were there at the beginning are known.
func (q *Queues) Open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.opened = true
	q.changed()
}

// SetQueue takes in a queue that was made or changed.
func (q *Queues) SetQueue(object *v1alpha1.Queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	old, was := q.objects[object.Name]
	if was && old.generation == object.Generation && old.created == object.CreationTimestamp.Unix() {
		// Most changes are of the status.
		return
	}
	q.objects[object.Name] = queueObject{spec: QueueSpec(object), generation: object.Generation, created: object.CreationTimestamp.Unix()}
	q.changed()
}

// DeleteQueue forgets a queue that is gone.
func (q *Queues) DeleteQueue(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.objects, name)
	q.changed()
}

// DropQueues forgets all queues: the server does not serve the kind any more.
func (q *Queues) DropQueues() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.objects)
	q.changed()
}

// DropElasticQuotas forgets the quotas of all namespaces.
func (q *Queues) DropElasticQuotas() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.elastic)
	q.changed()
}

// changed takes in that queues are others than before. What follows is worked out when it
// is next asked for, so that a thousand queues that come at once cost no more than one.
func (q *Queues) changed() {
	q.stale = true
	q.some.Store(true)
	q.tell()
}

// SetElasticQuota takes in the quota of a namespace.
func (q *Queues) SetElasticQuota(object *unstructured.Unstructured) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := q.elastic[object.GetNamespace()]
	if of == nil {
		of = map[string]quota.Spec{}
		q.elastic[object.GetNamespace()] = of
	}
	of[object.GetName()] = ElasticQuotaSpec(object)
	q.changed()
}

// DeleteElasticQuota forgets the quota of a namespace.
func (q *Queues) DeleteElasticQuota(name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.elastic[name.Namespace], name.Name)
	if len(q.elastic[name.Namespace]) == 0 {
		delete(q.elastic, name.Namespace)
	}
	q.changed()
}

// SetNamespace takes in a namespace, which may name the queue of its pods.
func (q *Queues) SetNamespace(namespace *corev1.Namespace) {
	q.setNamespace(namespace.Name, dialect.NamespaceQueue(namespace.Labels))
}

// DeleteNamespace forgets a namespace.
func (q *Queues) DeleteNamespace(name string) { q.setNamespace(name, "") }

func (q *Queues) setNamespace(name, queue string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.namespaces[name] == queue {
		return
	}
	if queue == "" {
		delete(q.namespaces, name)
	} else {
		q.namespaces[name] = queue
	}
	if q.tree != nil {
		q.changed()
	}
}

// SetPod takes in a pod that was made or changed.
func (q *Queues) SetPod(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	placed := pod.Spec.NodeName != ""
	if placed {
		delete(q.reserved, pod.UID)
	}
	if !q.settled() {
		return
	}
	switch {
	case !q.gangs.ours(pod.Spec.SchedulerName):
		q.release(pod.UID)
	case placed:
		q.leave(pod.UID)
		// What it asks for may have changed, or what its gang says.
		q.charge(pod)
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
		q.freed = q.freed || q.payers[pod.UID] != nil
		q.release(pod.UID)
	}
}

// GangChanged looks at what a gang says of its queue.
func (q *Queues) GangChanged(key gang.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return
	}
	said, known := q.gangQueues[key]
	if !known {
		return
	}
	// Without a verdict it names none, as while its pods disagree: each pays as it says itself.
	queue, some := q.gangs.Queue(key)
	if some && queue == said {
		return
	}
	pay := slices.Collect(maps.Values(q.gangPayers[waiterOfGang(key)]))
	if queue != said {
		for _, p := range pay {
			q.charge(p.pod)
		}
	}
	if !some && len(pay) == 0 {
		delete(q.gangQueues, key)
		return
	}
	q.gangQueues[key] = queue
	if queue != said {
		q.moved(key)
	}
}

// Reserve charges a pod that is to get a node, unless that would pass a limit: then it
// says why not. A pod that is charged already is not charged again, and one that is tried
// out without others is not charged: see Try.
func (q *Queues) Reserve(pod *corev1.Pod) (Refusal, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.settled() {
		if q.payers[pod.UID] != nil || waiterOf(pod) == q.trial {
			return Refusal{}, true
		}
		asks := q.requests(pod)
		if refusal, ok := q.check(pod, asks); !ok {
			return refusal, false
		}
		q.chargeFor(pod, asks)
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
	if !q.settled() || q.payers[pod.UID] != nil {
		return Refusal{}, true
	}
	return q.check(pod, q.requests(pod))
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
	// QueueLimit: the queue, or one around it, would pass its limit.
	QueueLimit QueueCode = "QueueLimitReached"
)

func (q *Queues) check(pod *corev1.Pod, asks corev1.ResourceList) (Refusal, bool) {
	name := q.queueOf(pod)
	id, known := q.id(name)
	if !known {
		return notFound(name), false
	}
	refusal, ok := q.line.Used().CanCharge(id, q.vector(asks))
	if ok || refusal.Fault == nil && waiterOf(pod) == q.trial {
		return Refusal{}, true
	}
	out := Refusal{Code: QueueLimit, Queue: q.tree.Name(refusal.Queue), Text: refusal.Sentence(q.tree)}
	if refusal.Fault != nil {
		out.Code = QueueFault
	}
	return out, false
}

func notFound(name string) Refusal {
	return Refusal{Code: QueueNotFound, Queue: name, Text: fmt.Sprintf("there is no queue %q: make it, or name another with label berth.dev/queue", name)}
}

// charge charges a pod, anew if it was charged for something else, or to another queue. Most
// that is told of a pod changes neither, and then nobody gains by it.
func (q *Queues) charge(pod *corev1.Pod) { q.chargeFor(pod, q.requests(pod)) }

// chargeFor is charge where it is known what the pod asks for.
func (q *Queues) chargeFor(pod *corev1.Pod, asks corev1.ResourceList) {
	p := &payer{pod: pod, queue: q.queueOf(pod), asks: asks}
	if was := q.payers[pod.UID]; was != nil && was.queue == p.queue && waiterOf(was.pod) == waiterOf(pod) && maps.EqualFunc(was.asks, p.asks, sameAmount) {
		was.pod = pod
		return
	}
	q.release(pod.UID)
	q.payers[pod.UID] = p
	if id := waiterOf(pod); id.group != "" {
		if q.gangPayers[id] == nil {
			q.gangPayers[id] = map[types.UID]*payer{}
		}
		q.gangPayers[id][pod.UID] = p
	}
	q.bill(p)
}

func sameAmount(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }

// bill charges a payer by the tree that is in effect. What cannot be charged to a queue of
// its name is charged to none, above all of them: it is used all the same.
func (q *Queues) bill(p *payer) {
	id, known := q.id(p.queue)
	if !known {
		id = quota.RootID
	}
	p.id, p.by = id, q.vector(p.asks)
	if err := q.line.Charge(q.now(), id, p.by); err != nil {
		// More than can be counted: it is not counted.
		p.by = make(quota.Vector, len(p.by))
	}
}

func (q *Queues) release(uid types.UID) {
	p := q.payers[uid]
	if p == nil {
		return
	}
	delete(q.payers, uid)
	if of := q.gangPayers[waiterOf(p.pod)]; of != nil {
		delete(of, uid)
		if len(of) == 0 {
			delete(q.gangPayers, waiterOf(p.pod))
		}
	}
	q.tell()
	if err := q.line.Release(q.now(), p.id, p.by); err != nil {
		panic(fmt.Sprintf("releasing what was charged for pod %s/%s: %v", p.pod.Namespace, p.pod.Name, err))
	}
}

// id returns the queue of a name. The default queue is the root's own gangs unless there
// is an object of its name.
func (q *Queues) id(name string) (quota.QueueID, bool) {
	if id, ok := q.tree.Queue(name); ok {
		return id, true
	}
	return quota.RootID, name == DefaultQueue
}

// queueOf returns the name of the queue that pays for a pod.
func (q *Queues) queueOf(pod *corev1.Pod) string {
	name := ""
	if id := waiterOf(pod); id.group != "" {
		key := id.key()
		name, _ = q.gangs.Queue(key)
		q.gangQueues[key] = name
	}
	switch {
	case name != "":
	case dialect.Queue(pod.Labels, pod.Annotations) != "":
		name = dialect.Queue(pod.Labels, pod.Annotations)
	case q.namespaces[pod.Namespace] != "":
		name = q.namespaces[pod.Namespace]
	case len(q.elastic[pod.Namespace]) > 0:
		name = pod.Namespace
	default:
		name = DefaultQueue
	}
	return name
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

// settled brings the tree up to date with the objects. It reports whether there are any.
func (q *Queues) settled() bool {
	if !q.opened {
		return false
	}
	if !q.stale {
		return q.tree != nil
	}
	q.stale = false
	was := q.tree != nil
	specs := q.specs()
	if len(specs) == 0 {
		q.tree, q.line = nil, nil
		clear(q.payers)
		clear(q.gangPayers)
		clear(q.gangQueues)
		q.open()
		return false
	}
	// The tree knows the fault of each queue.
	q.tree, _ = quota.NewTree(specs, nil)
	before := q.line
	q.shares, q.total = nil, nil
	maps.DeleteFunc(q.tallies, func(name string, _ *QueueTally) bool {
		_, still := q.tree.Queue(name)
		return !still
	})
	q.line = admission.New(q.tree, q.capacity(), q.config)
	defer q.queueAnew()
	if !was {
		for _, pod := range q.list() {
			switch {
			case !q.gangs.ours(pod.Spec.SchedulerName):
			case pod.Spec.NodeName != "":
				q.charge(pod)
			case q.reserved[pod.UID] == nil:
				q.wait(pod)
			}
		}
		for _, pod := range q.reserved {
			q.charge(pod)
		}
		return true
	}
	for _, p := range q.payers {
		p.queue = q.queueOf(p.pod)
		q.bill(p)
	}
	q.line.Averages().Carry(before.Averages(), before.Used(), q.now())
	return true
}

// specs returns what is said of all queues: oldest first, and those of namespaces, whose
// names a queue object may take, last.
func (q *Queues) specs() []quota.Spec {
	var specs []quota.Spec
	for _, o := range slices.SortedFunc(maps.Values(q.objects), func(a, b queueObject) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.spec.Name, b.spec.Name))
	}) {
		specs = append(specs, o.spec)
	}
	for _, namespace := range slices.Sorted(maps.Keys(q.elastic)) {
		if _, taken := q.objects[namespace]; !taken {
			of := q.elastic[namespace]
			specs = append(specs, of[slices.Min(slices.Collect(maps.Keys(of)))])
		}
	}
	return specs
}
