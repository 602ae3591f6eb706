package fastpath

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
)

// groupCache is the scheduler's cache without the gangs that their queues hold: each
// snapshot looks at every gang that the cache has, and thousands may be held. A gang is
// taken out when the scheduling queue was asked to activate it and it is held still, and is
// back before anything else is done with it: before it is activated, and before it changes.
// Gangs of which a pod has a node stay in.
type groupCache struct {
	internalcache.Cache

	// mu is taken before the locks of the queue and of the cache within.
	mu        sync.Mutex
	withdrawn map[types.NamespacedName]withdrawn
}

// withdrawn is what the cache had of a gang.
type withdrawn struct {
	group *schedulingv1beta1.PodGroup
	pods  []*corev1.Pod
}

func newGroupCache(inner internalcache.Cache) *groupCache {
	return &groupCache{Cache: inner, withdrawn: map[types.NamespacedName]withdrawn{}}
}

// activate activates pods, and takes the gangs out that are held still.
func (c *groupCache) activate(pods map[string]*corev1.Pod, activate func(), held func(group types.NamespacedName) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	groups := map[types.NamespacedName]bool{}
	for _, pod := range pods {
		if group, in := groupOf(pod); in {
			groups[group] = true
			c.restore(group)
		}
	}
	activate()
	for group := range groups {
		if held(group) {
			c.withdraw(group)
		}
	}
}

// withdraw takes a gang out, if none of its pods has a node.
func (c *groupCache) withdraw(name types.NamespacedName) {
	state, err := c.Cache.PodGroupStates().Get(name.Namespace, name.Name)
	if err != nil {
		return
	}
	group, err := c.Cache.PodGroups().Get(name.Namespace, name.Name)
	if err != nil {
		return
	}
	var pods []*corev1.Pod
	for _, pod := range state.UnscheduledPods() {
		pods = append(pods, pod)
	}
	if len(pods) == 0 || len(pods) != state.AllPodsCount() {
		return
	}
	for _, pod := range pods {
		c.Cache.RemovePodGroupMember(pod)
	}
	c.Cache.RemovePodGroup(klog.Background(), group)
	c.withdrawn[name] = withdrawn{group: group, pods: pods}
}

// restore puts a gang back that was taken out.
func (c *groupCache) restore(name types.NamespacedName) {
	w, out := c.withdrawn[name]
	if !out {
		return
	}
	delete(c.withdrawn, name)
	for _, pod := range w.pods {
		c.Cache.AddPodGroupMember(pod)
	}
	c.Cache.AddPodGroup(w.group)
}

// back puts the gang of each pod back.
func (c *groupCache) back(pods ...*corev1.Pod) {
	for _, pod := range pods {
		if group, in := groupOf(pod); in {
			c.mu.Lock()
			c.restore(group)
			c.mu.Unlock()
		}
	}
}

func (c *groupCache) backGroup(group *schedulingv1beta1.PodGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restore(types.NamespacedName{Namespace: group.Namespace, Name: group.Name})
}

func (c *groupCache) AddPodGroupMember(pod *corev1.Pod) {
	c.back(pod)
	c.Cache.AddPodGroupMember(pod)
}

func (c *groupCache) UpdatePodGroupMember(logger klog.Logger, oldPod, newPod *corev1.Pod) {
	c.back(oldPod, newPod)
	c.Cache.UpdatePodGroupMember(logger, oldPod, newPod)
}

func (c *groupCache) RemovePodGroupMember(pod *corev1.Pod) {
	c.back(pod)
	c.Cache.RemovePodGroupMember(pod)
}

func (c *groupCache) AddPodGroup(group *schedulingv1beta1.PodGroup) {
	c.backGroup(group)
	c.Cache.AddPodGroup(group)
}

func (c *groupCache) UpdatePodGroup(logger klog.Logger, oldGroup, newGroup *schedulingv1beta1.PodGroup) {
	c.backGroup(newGroup)
	c.Cache.UpdatePodGroup(logger, oldGroup, newGroup)
}

func (c *groupCache) RemovePodGroup(logger klog.Logger, group *schedulingv1beta1.PodGroup) {
	c.backGroup(group)
	c.Cache.RemovePodGroup(logger, group)
}

func (c *groupCache) AddPod(logger klog.Logger, pod *corev1.Pod) error {
	c.back(pod)
	return c.Cache.AddPod(logger, pod)
}

func (c *groupCache) UpdatePod(logger klog.Logger, oldPod, newPod *corev1.Pod) error {
	c.back(oldPod, newPod)
	return c.Cache.UpdatePod(logger, oldPod, newPod)
}

func (c *groupCache) RemovePod(logger klog.Logger, pod *corev1.Pod) error {
	c.back(pod)
	return c.Cache.RemovePod(logger, pod)
}

func (c *groupCache) AssumePod(logger klog.Logger, pod *corev1.Pod) error {
	c.back(pod)
	return c.Cache.AssumePod(logger, pod)
}

func (c *groupCache) BuildHierarchySnapshotFromPod(pod *corev1.Pod) (fwk.PodGroupManager, error) {
	c.back(pod)
	return c.Cache.BuildHierarchySnapshotFromPod(pod)
}
