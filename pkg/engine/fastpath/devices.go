package fastpath

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/state/device"
)

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
