package fastpath

import (
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/state/device"
)

// watchedCache is the scheduler's cache, with a note of every node that changes. A
// change and its note are one step for UpdateSnapshot, so none of the two is ever
// seen without the other; and so are the snapshot and the reading of it. Its lock is
// taken before that of Path.
type watchedCache struct {
	internalcache.Cache
	path *Path

	mu sync.Mutex
	// noted are the nodes that changed since the last snapshot, in the order in
	// which they first did, spare a slice to note the next in.
	noted, spare []string
	has          map[string]bool
	// released is what pods gave back on the noted nodes.
	released map[string]release
}

// release is what was given back on a node.
type release struct {
	// pods are the amounts of pods that are gone. They are on one node, which has one
	// kind of device.
	pods []pack.Amounts
	// unknown says that more than pods changed.
	unknown bool
}

func newWatchedCache(inner internalcache.Cache, path *Path) *watchedCache {
	return &watchedCache{Cache: inner, path: path, has: map[string]bool{}, released: map[string]release{}}
}

// note notes a node; "" stands for none.
func (c *watchedCache) note(name string) {
	if name != "" && !c.has[name] {
		c.has[name] = true
		c.noted = append(c.noted, name)
	}
}

// holder returns the node that the cache has a pod on, "" if it does not know it.
// It may be another one than the object says.
func (c *watchedCache) holder(pod *corev1.Pod) string {
	if known, err := c.GetPod(pod); err == nil {
		return known.Spec.NodeName
	}
	return ""
}

// changePod changes a pod in the cache, and notes the nodes that it is and was on.
func (c *watchedCache) changePod(change func() error, pods ...*corev1.Pod) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pod := range pods {
		c.note(pod.Spec.NodeName)
		c.note(c.holder(pod))
	}
	return change()
}

// dropPod changes the cache so that a pod is on no node.
func (c *watchedCache) dropPod(change func() error, pod *corev1.Pod) error {
	return c.changePod(func() error {
		// What it takes is what the cache has of it.
		if known, err := c.GetPod(pod); err == nil && known.Spec.NodeName != "" {
			r := c.released[known.Spec.NodeName]
			r.pods = append(r.pods, c.path.Request(known))
			c.released[known.Spec.NodeName] = r
		}
		return change()
	}, pod)
}

// otherwise notes that nodes change in other ways than by losing a pod.
func (c *watchedCache) otherwise(names ...string) {
	for _, name := range names {
		if name != "" {
			c.released[name] = release{unknown: true}
		}
	}
}

// atMostFree returns what a node has free at most: what it had when it was last read,
// and what pods have given back since. It is not known if the node changed in other
// ways, or a gang is being tried.
func (c *watchedCache) atMostFree(node string) (pack.Amounts, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.released[node]
	if since.unknown {
		return pack.Amounts{}, false
	}
	free, ok := c.path.lastFree(node)
	for _, request := range since.pods {
		free = free.Plus(request)
	}
	return free, ok
}

func (c *watchedCache) AssumePod(logger klog.Logger, pod *corev1.Pod) error {
	return c.changePod(func() error { return c.Cache.AssumePod(logger, pod) }, pod)
}

func (c *watchedCache) ForgetPod(logger klog.Logger, pod *corev1.Pod) error {
	return c.dropPod(func() error { return c.Cache.ForgetPod(logger, pod) }, pod)
}

func (c *watchedCache) RemoveAssumedPod(logger klog.Logger, pod *corev1.Pod) error {
	return c.dropPod(func() error { return c.Cache.RemoveAssumedPod(logger, pod) }, pod)
}

func (c *watchedCache) AddPod(logger klog.Logger, pod *corev1.Pod) error {
	return c.changePod(func() error {
		// It may have been assumed elsewhere, which is given back then.
		if node := c.holder(pod); node != pod.Spec.NodeName {
			c.otherwise(node)
		}
		return c.Cache.AddPod(logger, pod)
	}, pod)
}

func (c *watchedCache) UpdatePod(logger klog.Logger, oldPod, newPod *corev1.Pod) error {
	old, now := oldPod.Spec.NodeName, newPod.Spec.NodeName
	differs := old != now || !c.path.requestAlike(oldPod, newPod)
	return c.changePod(func() error {
		if differs {
			c.otherwise(c.holder(oldPod), old, now)
		}
		return c.Cache.UpdatePod(logger, oldPod, newPod)
	}, oldPod, newPod)
}

func (c *watchedCache) RemovePod(logger klog.Logger, pod *corev1.Pod) error {
	return c.dropPod(func() error { return c.Cache.RemovePod(logger, pod) }, pod)
}

func (c *watchedCache) AddNode(logger klog.Logger, node *corev1.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(node.Name)
	c.otherwise(node.Name)
	c.Cache.AddNode(logger, node)
}

func (c *watchedCache) UpdateNode(logger klog.Logger, oldNode, newNode *corev1.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(newNode.Name)
	c.otherwise(newNode.Name)
	c.Cache.UpdateNode(logger, oldNode, newNode)
}

func (c *watchedCache) RemoveNode(logger klog.Logger, node *corev1.Node) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(node.Name)
	return c.Cache.RemoveNode(logger, node)
}

// UpdateSnapshot updates the snapshot, and the index from it.
func (c *watchedCache) UpdateSnapshot(logger klog.Logger, snapshot *internalcache.Snapshot) error {
	if snapshot != c.path.snapshot {
		return c.Cache.UpdateSnapshot(logger, snapshot)
	}
	err := c.updateSnapshot(logger, snapshot)
	c.path.lookForRoom()
	return err
}

func (c *watchedCache) updateSnapshot(logger klog.Logger, snapshot *internalcache.Snapshot) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.Cache.UpdateSnapshot(logger, snapshot)
	noted := c.noted
	c.noted, c.spare = c.spare[:0], noted
	clear(c.has)
	clear(c.released)
	c.path.read(noted, err != nil)
	c.path.queue.SnapshotTaken()
	return err
}

// read reads the noted nodes from the snapshot, and those that the last pod-group
// cycle touched. If the snapshot could not be updated, all are read next time.
func (p *Path) read(noted []string, failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.placement, p.tentative, p.plans = nil, p.tentative[:0], plans{}
	switch {
	case failed:
		p.unread = true
	case p.unread:
		p.readAll()
	default:
		for _, name := range noted {
			p.readNode(name)
		}
		p.readTouched()
	}
	if p.claims == nil {
		return
	}
	if now := p.claims(); now != p.claimed {
		if p.claimed = now; now == nil {
			p.index.Claims(nil)
		} else {
			p.index.Claims(*now)
		}
	}
}

// lastFree returns what a node had free when it was read; false while the index may
// have pods on nodes that will not stay.
func (p *Path) lastFree(node string) (pack.Amounts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unread || len(p.tentative) > 0 {
		return pack.Amounts{}, false
	}
	if id, ok := p.index.ID(node); ok {
		return p.index.Pack().Free(id)
	}
	return pack.Amounts{}, false
}

// readTouched reads the nodes that changed within this cycle.
func (p *Path) readTouched() {
	for _, name := range p.touched {
		p.readNode(name)
	}
	p.touched = p.touched[:0]
}

func (p *Path) readNode(name string) {
	if info, err := p.snapshot.Get(name); err == nil {
		p.index.Set(info)
	} else {
		p.index.Remove(name)
	}
}

// readAll reads all nodes, in the order of their names.
func (p *Path) readAll() {
	nodes, err := p.snapshot.NodeInfos().List()
	if err != nil {
		return
	}
	for name := range p.index.Names() {
		if _, err := p.snapshot.Get(name); err != nil {
			p.index.Remove(name)
		}
	}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b fwk.NodeInfo) int { return strings.Compare(a.Node().Name, b.Node().Name) })
	for _, info := range nodes {
		p.index.Set(info)
	}
	p.touched, p.unread = p.touched[:0], false
}

// countingCache is the scheduler's cache, and tells an inventory of devices of each pod
// and node that comes and goes.
type countingCache struct {
	internalcache.Cache
	inventory *device.Inventory
}

func (c countingCache) ForgetPod(logger klog.Logger, pod *corev1.Pod) error {
	err := c.Cache.ForgetPod(logger, pod)
	if err == nil {
		c.inventory.Give(pod)
	}
	return err
}

func (c countingCache) RemoveAssumedPod(logger klog.Logger, pod *corev1.Pod) error {
	err := c.Cache.RemoveAssumedPod(logger, pod)
	if err == nil {
		c.inventory.DeletePod(pod.UID)
	}
	return err
}

func (c countingCache) AddPod(logger klog.Logger, pod *corev1.Pod) error {
	c.inventory.SetPod(pod)
	return c.Cache.AddPod(logger, pod)
}

func (c countingCache) UpdatePod(logger klog.Logger, oldPod, newPod *corev1.Pod) error {
	if oldPod.UID != newPod.UID {
		c.inventory.DeletePod(oldPod.UID)
	}
	c.inventory.SetPod(newPod)
	return c.Cache.UpdatePod(logger, oldPod, newPod)
}

func (c countingCache) RemovePod(logger klog.Logger, pod *corev1.Pod) error {
	c.inventory.DeletePod(pod.UID)
	return c.Cache.RemovePod(logger, pod)
}

func (c countingCache) AddNode(logger klog.Logger, node *corev1.Node) {
	c.inventory.SetNode(node)
	c.Cache.AddNode(logger, node)
}

func (c countingCache) UpdateNode(logger klog.Logger, oldNode, newNode *corev1.Node) {
	c.inventory.SetNode(newNode)
	c.Cache.UpdateNode(logger, oldNode, newNode)
}

func (c countingCache) RemoveNode(logger klog.Logger, node *corev1.Node) error {
	c.inventory.DeleteNode(node.Name)
	return c.Cache.RemoveNode(logger, node)
}

// UsesTopology reports whether a profile has the plugin DeviceTopology: without, nobody
// needs to know how devices are linked.
func (p *Path) UsesTopology() bool { return p.topology != nil }

// SetTopology takes in a NodeTopology. If that changes what its node has free, the node
// is read anew, and if it may help pods that wait, they are looked at. The node may not be
// known yet.
func (p *Path) SetTopology(object *v1alpha1.NodeTopology, node *corev1.Node) {
	p.devicesChanged(object.Name, node, p.inventory.SetTopology(object))
}

// DeleteTopology forgets the NodeTopology of a node.
func (p *Path) DeleteTopology(name string, node *corev1.Node) {
	p.devicesChanged(name, node, p.inventory.DeleteTopology(name))
}

func (p *Path) devicesChanged(name string, node *corev1.Node, change device.Change) {
	if change.Free && p.cache != nil {
		p.cache.mu.Lock()
		p.cache.note(name)
		p.cache.otherwise(name)
		p.cache.mu.Unlock()
	}
	if change.Helps && node != nil && p.sched != nil {
		changed := fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.UpdateNodeAllocatable}
		p.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), changed, nil, node, nil)
	}
}
