package nodeindex

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Occupancy counts what pods request on each node, whoever bound them, and notices at once when
// a node has given out more of a resource than it has. That comes about where another scheduler
// binds pods to the same nodes, which neither of the two could know of the other, and where a
// device falls ill under a pod. As long as it lasts the node has none of that resource free.
// It is safe for concurrent use.
type Occupancy struct {
	ours     func(schedulerName string) bool
	requests func(pod *corev1.Pod) corev1.ResourceList
	// own reports whether a node is Berth's own, and device whether a resource is a device.
	own    func(node *corev1.Node) bool
	device func(name corev1.ResourceName) bool
	// over is told of each node that has given out too much, and intruded of each of Berth's
	// own nodes on which others have devices: once, until that is over.
	over     func(Overdraft)
	intruded func(Intrusion)

	mu    sync.Mutex
	nodes map[string]*occupied
	// pods are those that have a node, as they are counted there.
	pods map[types.UID]*corev1.Pod
}

// Overdraft is a node that has given out more of a resource than it has.
type Overdraft struct {
	Node              string
	Resource          corev1.ResourceName
	Allocatable, Used int64
	// Foreign is a pod of another scheduler there, "namespace/name"; "" if there is none, and
	// the node has less than it had.
	Foreign string
}

// Intrusion is a node of Berth's own on which a pod of another scheduler has devices.
type Intrusion struct {
	Node    string
	NodeUID types.UID
	Pod     types.NamespacedName
	// Scheduler is who bound it, Pods how many such pods there are.
	Scheduler string
	Pods      int
}

type occupied struct {
	node *corev1.Node
	used map[corev1.ResourceName]int64
	// pods counts those that are there, and foreign are those of other schedulers.
	pods    int
	foreign map[types.UID]foreigner
	// overdrawn are the resources of which it has given out too much, and intruded says that
	// others have devices there.
	overdrawn map[corev1.ResourceName]bool
	intruded  bool
}

// foreigner is a pod of another scheduler.
type foreigner struct {
	pod *corev1.Pod
	// devices says that it asks for some.
	devices bool
}

// NewOccupancy returns an occupancy without nodes. ours says which scheduler names are Berth's,
// own which nodes, and device which resources are devices.
func NewOccupancy(ours func(string) bool, requests func(*corev1.Pod) corev1.ResourceList, own func(*corev1.Node) bool, device func(corev1.ResourceName) bool) *Occupancy {
	return &Occupancy{ours: ours, requests: requests, own: own, device: device, nodes: map[string]*occupied{}, pods: map[types.UID]*corev1.Pod{},
		over: func(Overdraft) {}, intruded: func(Intrusion) {}}
}

// On sets who is told. It comes before any node or pod.
func (o *Occupancy) On(over func(Overdraft), intruded func(Intrusion)) {
	o.over, o.intruded = over, intruded
}

// SetNode takes in a node.
func (o *Occupancy) SetNode(node *corev1.Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.at(node.Name)
	n.node = node
	o.judge(n)
}

// DeleteNode forgets a node. Pods that are still on it count again if it comes back.
func (o *Occupancy) DeleteNode(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.nodes[name]; n != nil {
		n.node, n.overdrawn, n.intruded = nil, map[corev1.ResourceName]bool{}, false
		o.tidy(name, n)
	}
}

// SetPod takes in a pod that has not ended.
func (o *Occupancy) SetPod(pod *corev1.Pod) {
	if pod.Spec.NodeName == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if old := o.pods[pod.UID]; old != nil && old.Spec.NodeName == pod.Spec.NodeName && workload.RequestsAlike(old, pod) {
		o.pods[pod.UID] = pod
		n := o.nodes[pod.Spec.NodeName]
		if is, foreign := n.foreign[pod.UID]; foreign {
			n.foreign[pod.UID] = foreigner{pod, is.devices}
		}
		return
	}
	o.drop(pod.UID)
	n := o.at(pod.Spec.NodeName)
	// What it asks for is worked out again when it goes, which costs less than to keep it.
	o.pods[pod.UID] = pod
	n.pods++
	n.add(corev1.ResourcePods, 1)
	devices := false
	for name, q := range o.requests(pod) {
		n.add(name, resourceAmount(name, q))
		devices = devices || q.Sign() > 0 && o.device(name)
	}
	if !o.ours(pod.Spec.SchedulerName) {
		if n.foreign == nil {
			n.foreign = map[types.UID]foreigner{}
		}
		n.foreign[pod.UID] = foreigner{pod, devices}
	}
	o.judge(n)
}

func (n *occupied) add(name corev1.ResourceName, amount int64) {
	if n.used[name] += amount; n.used[name] == 0 {
		delete(n.used, name)
	}
}

// DeletePod forgets a pod that is gone or has ended.
func (o *Occupancy) DeletePod(uid types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(uid)
}

func (o *Occupancy) drop(uid types.UID) {
	pod := o.pods[uid]
	if pod == nil {
		return
	}
	n := o.nodes[pod.Spec.NodeName]
	delete(o.pods, uid)
	delete(n.foreign, uid)
	n.pods--
	n.add(corev1.ResourcePods, -1)
	for name, q := range o.requests(pod) {
		n.add(name, -resourceAmount(name, q))
	}
	o.judge(n)
	o.tidy(pod.Spec.NodeName, n)
}

func (o *Occupancy) at(name string) *occupied {
	n := o.nodes[name]
	if n == nil {
		n = &occupied{used: map[corev1.ResourceName]int64{}, overdrawn: map[corev1.ResourceName]bool{}}
		o.nodes[name] = n
	}
	return n
}

func (o *Occupancy) tidy(name string, n *occupied) {
	if n.node == nil && n.pods == 0 {
		delete(o.nodes, name)
	}
}

// judge tells what has become of a node that changed.
func (o *Occupancy) judge(n *occupied) {
	if n.node == nil {
		return
	}
	for name := range n.overdrawn {
		if n.used[name] == 0 {
			delete(n.overdrawn, name)
		}
	}
	var news []corev1.ResourceName
	for name, used := range n.used {
		q, has := n.node.Status.Allocatable[name]
		switch {
		case !has: // it may be one of the whole cluster
		case !repair.Overdrawn(resourceAmount(name, q), used):
			delete(n.overdrawn, name)
		case !n.overdrawn[name]:
			news = append(news, name)
		}
	}
	slices.Sort(news)
	for _, name := range news {
		n.overdrawn[name] = true
		o.over(Overdraft{Node: n.node.Name, Resource: name, Allocatable: resourceAmount(name, n.node.Status.Allocatable[name]), Used: n.used[name], Foreign: o.foreignOf(n, name)})
	}
	o.judgeOwn(n)
}

// judgeOwn tells of a node of Berth's own on which others have devices.
func (o *Occupancy) judgeOwn(n *occupied) {
	if !o.own(n.node) {
		n.intruded = false
		return
	}
	var intruders []*corev1.Pod
	for _, one := range n.foreign {
		if one.devices {
			intruders = append(intruders, one.pod)
		}
	}
	if was := n.intruded; len(intruders) == 0 || was {
		n.intruded = was && len(intruders) > 0
		return
	}
	n.intruded = true
	first := slices.MinFunc(intruders, compareByName)
	o.intruded(Intrusion{Node: n.node.Name, NodeUID: n.node.UID, Pod: types.NamespacedName{Namespace: first.Namespace, Name: first.Name},
		Scheduler: first.Spec.SchedulerName, Pods: len(intruders)})
}

func compareByName(a, b *corev1.Pod) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// foreignOf returns the first pod of another scheduler that has of a resource of a node; "" if
// there is none.
func (o *Occupancy) foreignOf(n *occupied, name corev1.ResourceName) string {
	first := ""
	for _, one := range n.foreign {
		pod := one.pod
		if asked := o.requests(pod)[name]; asked.Sign() == 0 && name != corev1.ResourcePods {
			continue
		}
		if at := pod.Namespace + "/" + pod.Name; first == "" || at < first {
			first = at
		}
	}
	return first
}

// Tell tells of all nodes as if they had come to be what they are now: of those of which nobody
// was told before there was somebody to hear it.
func (o *Occupancy) Tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(o.nodes)) {
		n := o.nodes[name]
		clear(n.overdrawn)
		n.intruded = false
		o.judge(n)
	}
}

// Overdrawn returns how many nodes have given out more than they have.
func (o *Occupancy) Overdrawn() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for _, n := range o.nodes {
		if len(n.overdrawn) > 0 {
			count++
		}
	}
	return count
}

// resourceAmount returns an amount in whole units, of CPU in thousandths.
func resourceAmount(name corev1.ResourceName, q resource.Quantity) int64 {
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

// IsDevice reports whether a resource is one of devices: an extended resource, as device
// plugins offer.
func IsDevice(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}
