package queueing

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// DefaultQueue is the queue of pods that name none. It needs no object: without one it is
// guaranteed nothing, has no limit, and gets what all others leave.
const DefaultQueue = "default"

// Queues says which queue pays for which pod, and what each uses. A pod is charged when it
// gets a node, in Reserve or because it has one, and until it is gone: once, however often
// it is told. Its methods may be called concurrently.
//
// While there is no queue object at all, nobody pays for anything, and nothing is kept but
// which pods are reserved. Until Open is called nobody is admitted, for it is not known yet
// what queues there are.
type Queues struct {
	gangs    *gangtable.Table
	requests func(pod *corev1.Pod) corev1.ResourceList
	list     func() []*corev1.Pod

	mu sync.Mutex
	// objects are the queues by name, and ordered the same by their right.
	objects map[string]queueObject
	ordered []queueObject
	// spareClaims are the spares that they have kept; nil if none has any.
	spareClaims atomic.Pointer[[]repair.Claim]
	// elastic are the ElasticQuotas of each namespace by name; the first by name counts.
	elastic map[string]map[string]quota.Spec
	// namespaces have the labels of each that has any.
	namespaces map[string]map[string]string
	// openToAll has every namespace use every queue.
	openToAll bool
	// nodes are what each node has, capacity the sum in the order of the tree.
	nodes map[string]corev1.ResourceList
	// resized says that the nodes changed since the line was told what they have. total is
	// what all of them have, in the order of the tree; nil if it is not worked out.
	resized bool
	total   quota.Vector
	// whole is what all nodes have; nil if it is not worked out.
	whole corev1.ResourceList
	// stale is set while tree and admission are not those of the objects. names are those of
	// the specs of which they were made, rebuilt is when, and rebuildTook how long that took.
	stale       bool
	names       []string
	rebuilt     time.Time
	rebuildTook time.Duration
	tree        *quota.Tree
	line        *admission.Admission
	charged     map[types.UID]*chargedPod
	// deleting are the charged pods that are being deleted.
	deleting map[types.UID]*chargedPod
	// accounts are what is charged to each queue, by name, and unagreed the charged pods whose queue
	// did not admit them, by namespace.
	accounts map[string]*account
	unagreed map[string]map[types.UID]*chargedPod
	// shares are the fair shares as of an instant; nil if the tree is another since.
	shares   []quota.Vector
	sharesAt time.Time
	// reserved are pods that are to get a node and whose node the API server did not tell
	// yet. They are known even where nobody pays.
	reserved map[types.UID]*corev1.Pod

	// Who waits: see waiting.go.
	config  admission.Config
	clock   clock.PassiveClock
	waiting map[workload.ID]*waiter
	byName  map[string]*waiter
	byPod   map[types.UID]*waiter
	// waitingIn are those of each namespace, and denied counts, by queue, those that may not
	// use it.
	waitingIn  map[string]map[*waiter]struct{}
	denied     map[string]int
	admissions uint64
	// stuck are those whose turn it never is as things are, that were not told yet.
	stuck []*waiter
	// back is the gang that the scheduling queue is taking back after it was tried.
	back workload.ID
	// impossible are those that not even the empty cluster could hold.
	impossible map[*waiter]struct{}
	// tries are those that were admitted, in their order; those that were tried since are
	// dropped when they come first.
	tries []try
	// released are a pod each of those that waited when the last queue went.
	released []*corev1.Pod
	// fresh are those that wait and whose reason was not looked at, in the order in which that
	// is due, and known the others. explained is how many pods may be told of it.
	fresh, known []doubt
	explained    int
	// claims are a pod each of those that were admitted for others to go, and trial is who is
	// tried out without others.
	claims []*corev1.Pod
	trial  workload.ID
	// tallies count what became of the gangs of each queue, by name.
	tallies map[string]*QueueTally
	// freed says that there may be room that was not there when the last round began of tries
	// of those that had none; see Retry. round is when it began, zero if it has ended, and
	// rest until when there is no other.
	freed bool
	round time.Time
	rest  time.Time
	// refusedClasses are the classes of those for which there was no room in the last round, or
	// since.
	refusedClasses map[string]struct{}
	// opened is set by Open. some is set while there may be any queue object, for those that
	// ask often.
	opened bool
	some   atomic.Bool
	news   chan struct{}
	chose  func(took time.Duration)
	// admitted is told of each gang that got a place.
	admitted func(queue string, waited time.Duration)
}

// queueObject is a Queue. Of two that cannot both have what they are guaranteed, the older
// has it.
type queueObject struct {
	spec       quota.Spec
	spares     []v1alpha1.QueueSpares
	generation int64
	created    int64
}

// New returns queues of which nothing is known yet. requests says what a pod asks for,
// and list returns the pods that were told so far.
func New(gangs *gangtable.Table, requests func(pod *corev1.Pod) corev1.ResourceList, list func() []*corev1.Pod, config admission.Config, c clock.PassiveClock) *Queues {
	q := &Queues{
		gangs: gangs, requests: requests, list: list, config: config, clock: c,
		nodes: map[string]corev1.ResourceList{}, news: make(chan struct{}, 1),
		waiting: map[workload.ID]*waiter{}, byName: map[string]*waiter{}, byPod: map[types.UID]*waiter{},
		objects: map[string]queueObject{}, elastic: map[string]map[string]quota.Spec{}, namespaces: map[string]map[string]string{},
		tallies: map[string]*QueueTally{}, impossible: map[*waiter]struct{}{}, refusedClasses: map[string]struct{}{},
		charged: map[types.UID]*chargedPod{}, deleting: map[types.UID]*chargedPod{}, accounts: map[string]*account{}, unagreed: map[string]map[types.UID]*chargedPod{}, reserved: map[types.UID]*corev1.Pod{},
		waitingIn: map[string]map[*waiter]struct{}{}, denied: map[string]int{},
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
	q.forget(object.Name)
	o := queueObject{spec: QueueSpec(object), spares: object.Spec.Spares, generation: object.Generation, created: object.CreationTimestamp.Unix()}
	q.objects[object.Name] = o
	at, _ := slices.BinarySearchFunc(q.ordered, o, compareObjects)
	q.ordered = slices.Insert(q.ordered, at, o)
	q.claimSpares()
	if !was || old.created != o.created || !q.respecified(old.spec, o.spec) {
		q.changed()
	}
}

// DeleteQueue forgets a queue that is gone.
func (q *Queues) DeleteQueue(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(name)
	q.claimSpares()
	q.changed()
}

// forget takes a queue out, if it is known.
func (q *Queues) forget(name string) {
	o, known := q.objects[name]
	if !known {
		return
	}
	delete(q.objects, name)
	at, _ := slices.BinarySearchFunc(q.ordered, o, compareObjects)
	q.ordered = slices.Delete(q.ordered, at, at+1)
}

// compareObjects orders queues by their right: the oldest first.
func compareObjects(a, b queueObject) int {
	return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.spec.Name, b.spec.Name))
}

// DropQueues forgets all queues: the server does not serve the kind any more.
func (q *Queues) DropQueues() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.objects)
	q.ordered = nil
	q.claimSpares()
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
// is next asked for, and not sooner than settled has it, so that a thousand queues that come
// at once cost no more than a few.
func (q *Queues) changed() {
	q.stale = true
	q.some.Store(true)
	q.tell()
}

// SetElasticQuota takes in the quota of a namespace.
func (q *Queues) SetElasticQuota(object *unstructured.Unstructured) {
	q.mu.Lock()
	defer q.mu.Unlock()
	namespace := object.GetNamespace()
	was := q.elasticSpec(namespace)
	if q.elastic[namespace] == nil {
		q.elastic[namespace] = map[string]quota.Spec{}
	}
	q.elastic[namespace][object.GetName()] = ElasticQuotaSpec(object)
	q.elasticChanged(namespace, was)
}

// DeleteElasticQuota forgets the quota of a namespace.
func (q *Queues) DeleteElasticQuota(name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.elasticSpec(name.Namespace)
	delete(q.elastic[name.Namespace], name.Name)
	if len(q.elastic[name.Namespace]) == 0 {
		delete(q.elastic, name.Namespace)
	}
	q.elasticChanged(name.Namespace, was)
}

// elasticChanged takes in that the ElasticQuotas of a namespace may be others than before. Most
// changes are of the status.
func (q *Queues) elasticChanged(namespace string, was quota.Spec) {
	is := q.elasticSpec(namespace)
	_, taken := q.objects[namespace]
	if taken || was.Name == "" || is.Name == "" || !q.respecified(was, is) {
		q.changed()
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
