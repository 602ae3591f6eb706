package requeue

import (
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
)

// GroupCache is the scheduler's cache without the gangs that nothing is done with: each
// snapshot looks at every gang that the cache has. Those are
//
//   - gangs that are held, by their queues or where there are none by the window of their
//     namespace, of which there may be thousands;
//   - gangs of which every pod has its node, or is to get it, where leavesOut says so (placed.go
//     and assumed.go).
//
// They are taken out before the next snapshot. A gang is back before anything is done with it:
// before it is activated, and before it changes; and before the snapshot after its queue has
// let it pass. A gang of which only some pods have a node stays in.
type GroupCache struct {
	internalcache.Cache
	// held says whether its queue holds a gang, and turned which gangs are held now or no more,
	// since it was asked last.
	held   func(group types.NamespacedName) bool
	turned func() map[types.NamespacedName]struct{}
	// leavesOut says whether gangs are taken out that are placed.
	leavesOut func() bool

	// mu is taken before the locks of the queue and of the cache within.
	mu     sync.Mutex
	hidden map[types.NamespacedName]*hiddenGroup
	// placed is how many of those are placed, and without whether the last snapshot is without
	// any.
	placed  int
	without bool
	// touched are gangs with which something was done since it was last looked whether they are
	// to be taken out.
	touched map[types.NamespacedName]struct{}
	// kept are gangs that were looked at while those that are placed were not taken out.
	kept map[types.NamespacedName]struct{}
	// originals are pods that are assumed, as they are without their nodes; see assumed.go.
	originals map[types.UID]original
}

// hiddenGroup is a gang that snapshots leave out: what the cache had of it.
type hiddenGroup struct {
	// group is nil if there was none.
	group *schedulingv1beta1.PodGroup
	pods  map[types.UID]*corev1.Pod
	// placed says that all pods have nodes; else none has.
	placed bool
}

func NewGroupCache(inner internalcache.Cache, queue *Queue, leavesOut func() bool) *GroupCache {
	return &GroupCache{
		Cache: inner, held: queue.holds, turned: queue.turned, leavesOut: leavesOut,
		hidden: map[types.NamespacedName]*hiddenGroup{}, touched: map[types.NamespacedName]struct{}{}, kept: map[types.NamespacedName]struct{}{},
		originals: map[types.UID]original{},
	}
}

// Activate activates pods, whose gangs are back before.
func (c *GroupCache) Activate(pods map[string]*corev1.Pod, activate func()) {
	c.changeMember(activate, slices.Collect(maps.Values(pods))...)
}

// UpdateSnapshot updates the snapshot, without the gangs that nothing is done with.
func (c *GroupCache) UpdateSnapshot(logger klog.Logger, snapshot *internalcache.Snapshot) error {
	c.settle()
	return c.Cache.UpdateSnapshot(logger, snapshot)
}

// settle puts the gangs back that their queues have let pass, and takes those out that
// nothing is done with any more.
func (c *GroupCache) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.turned() {
		c.restore(name)
	}
	defer func() { c.without = c.placed > 0 }()
	leaves := c.leavesOut()
	if leaves {
		maps.Copy(c.touched, c.kept)
		c.kept = emptied(c.kept)
	} else {
		c.restorePlaced()
	}
	for name := range c.touched {
		switch {
		case c.held(name):
			c.hide(name)
		case leaves:
			c.leave(name)
		default:
			c.kept[name] = struct{}{}
		}
	}
	c.touched = emptied(c.touched)
}

// emptied empties a set. One that was large is left behind: to range over it would take as long
// as when it was full.
func emptied[K comparable](set map[K]struct{}) map[K]struct{} {
	if len(set) > 64 {
		return map[K]struct{}{}
	}
	clear(set)
	return set
}

// hide takes a gang out that is held, if none of its pods has a node.
func (c *GroupCache) hide(name types.NamespacedName) {
	state, err := c.Cache.PodGroupStates().Get(name.Namespace, name.Name)
	if err != nil {
		return
	}
	group, err := c.Cache.PodGroups().Get(name.Namespace, name.Name)
	if err != nil {
		return
	}
	pods := map[types.UID]*corev1.Pod{}
	for _, pod := range state.UnscheduledPods() {
		pods[pod.UID] = pod
	}
	if len(pods) > 0 && len(pods) == state.AllPodsCount() {
		c.takeOut(name, &hiddenGroup{group: group, pods: pods})
	}
}

// takeOut takes a gang out.
func (c *GroupCache) takeOut(name types.NamespacedName, w *hiddenGroup) {
	for _, pod := range w.pods {
		c.Cache.RemovePodGroupMember(pod)
	}
	if w.group != nil {
		c.Cache.RemovePodGroup(klog.Background(), w.group)
	}
	c.hidden[name] = w
	if w.placed {
		c.placed++
	}
	delete(c.touched, name)
	delete(c.kept, name)
}

// restore puts a gang back that was taken out, for something is done with it.
func (c *GroupCache) restore(name types.NamespacedName) {
	c.touched[name] = struct{}{}
	w, out := c.hidden[name]
	if !out {
		return
	}
	delete(c.hidden, name)
	if w.placed {
		c.placed--
	}
	for _, pod := range w.pods {
		c.Cache.AddPodGroupMember(pod)
	}
	if w.group != nil {
		c.Cache.AddPodGroup(w.group)
	}
}

// change does something with the gangs of pods, which are back before.
func (c *GroupCache) change(do func() error, pods ...*corev1.Pod) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed(do, pods...)
}

// changed is change for who has the lock.
func (c *GroupCache) changed(do func() error, pods ...*corev1.Pod) error {
	groups := make([]types.NamespacedName, 0, 2)
	for _, pod := range pods {
		if group, in := groupOf(pod); in {
			groups = append(groups, group)
		}
	}
	return c.changedGroups(do, groups...)
}

func (c *GroupCache) changedGroups(do func() error, groups ...types.NamespacedName) error {
	for _, group := range groups {
		c.restore(group)
	}
	err := do()
	for _, group := range groups {
		if _, gone := c.Cache.PodGroupStates().Get(group.Namespace, group.Name); gone != nil {
			delete(c.touched, group)
			delete(c.kept, group)
		}
	}
	return err
}

// always is a change that does not fail. The error is nil.
func always(do func()) func() error {
	return func() error {
		do()
		return nil
	}
}

func (c *GroupCache) changeGroup(do func(), group *schedulingv1beta1.PodGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.changedGroups(always(do), types.NamespacedName{Namespace: group.Namespace, Name: group.Name})
}

func (c *GroupCache) changeMember(do func(), pods ...*corev1.Pod) {
	_ = c.change(always(do), pods...)
}

func (c *GroupCache) AddPodGroupMember(pod *corev1.Pod) {
	c.changeMember(func() { c.Cache.AddPodGroupMember(pod) }, pod)
}

func (c *GroupCache) AddPodGroup(group *schedulingv1beta1.PodGroup) {
	c.changeGroup(func() { c.Cache.AddPodGroup(group) }, group)
}

func (c *GroupCache) UpdatePodGroup(logger klog.Logger, oldGroup, newGroup *schedulingv1beta1.PodGroup) {
	c.changeGroup(func() { c.Cache.UpdatePodGroup(logger, oldGroup, newGroup) }, newGroup)
}

func (c *GroupCache) RemovePodGroup(logger klog.Logger, group *schedulingv1beta1.PodGroup) {
	c.changeGroup(func() { c.Cache.RemovePodGroup(logger, group) }, group)
}

func (c *GroupCache) AssumePod(logger klog.Logger, pod *corev1.Pod) error {
	return c.change(func() error { return c.Cache.AssumePod(logger, pod) }, pod)
}

func (c *GroupCache) BuildHierarchySnapshotFromPod(pod *corev1.Pod) (manager fwk.PodGroupManager, err error) {
	err = c.change(func() error {
		manager, err = c.Cache.BuildHierarchySnapshotFromPod(pod)
		return err
	}, pod)
	return manager, err
}
