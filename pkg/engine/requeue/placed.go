package requeue

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// LeavesOut reports whether any gang that is placed is left out of the last snapshot.
func (c *GroupCache) LeavesOut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.without
}

// restorePlaced puts all gangs back that are placed.
func (c *GroupCache) restorePlaced() {
	if c.placed == 0 {
		return
	}
	for name, w := range c.hidden {
		if w.placed {
			c.restore(name)
		}
	}
}

// leave takes a gang out, if each of its pods has a node, or is to get it.
func (c *GroupCache) leave(name types.NamespacedName) {
	state, err := c.Cache.PodGroupStates().Get(name.Namespace, name.Name)
	if err != nil {
		return
	}
	if all := state.AllPodsCount(); all == 0 || state.ScheduledPodsCount() != all {
		return
	}
	w := &hiddenGroup{pods: map[types.UID]*corev1.Pod{}, placed: true}
	for _, pod := range state.ScheduledPods() {
		w.pods[pod.UID] = pod
	}
	c.keepOriginals(state, w.pods)
	w.group, _ = c.Cache.PodGroups().Get(name.Namespace, name.Name) // it fails where there is none
	c.takeOut(name, w)
}

// among returns what was taken out of the gang of a pod, if that is placed and has the pod.
func (c *GroupCache) among(pod *corev1.Pod) *hiddenGroup {
	group, in := groupOf(pod)
	if !in {
		return nil
	}
	if w := c.hidden[group]; w != nil && w.placed && w.pods[pod.UID] != nil {
		return w
	}
	return nil
}

// UpdatePod changes a pod that has a node. A gang that is out stays so: each pod of it says
// that it runs, and later that it is ready.
func (c *GroupCache) UpdatePod(logger klog.Logger, oldPod, newPod *corev1.Pod) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.among(oldPod)
	if w == nil || w != c.among(newPod) {
		return c.changed(func() error { return c.Cache.UpdatePod(logger, oldPod, newPod) }, oldPod, newPod)
	}
	return c.inPlace(w, newPod, c.Cache.UpdatePod(logger, oldPod, newPod))
}

// inPlace has a gang that is out stay so though the cache within took in a pod of it, unless that
// failed with an error, which it returns.
func (c *GroupCache) inPlace(w *hiddenGroup, pod *corev1.Pod, err error) error {
	// The cache within has put it into a gang of its own.
	c.Cache.RemovePodGroupMember(pod)
	if err == nil {
		w.pods[pod.UID] = pod
	}
	return err
}

// RemovePod removes a pod that has a node. A gang that is out stays so until its last pod
// goes.
func (c *GroupCache) RemovePod(logger klog.Logger, pod *corev1.Pod) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.originals, pod.UID)
	w := c.among(pod)
	if w == nil || len(w.pods) == 1 {
		return c.changed(func() error { return c.Cache.RemovePod(logger, pod) }, pod)
	}
	err := c.Cache.RemovePod(logger, pod)
	if err == nil {
		delete(w.pods, pod.UID)
	}
	return err
}
