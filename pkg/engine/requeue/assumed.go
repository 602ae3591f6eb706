package requeue

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// A pod is assumed from when its node is decided until the watch tells of its binding. Hundreds
// of gangs may be, if decisions are made faster than bindings, and each snapshot would look at
// them. So they are taken out like those that are bound, with one difference. The cache within has
// no way to take a pod back as one that is assumed, and counts it as assigned once its gang is
// back. That is the same to whoever looks for places. It is not to ForgetPod, after which the pod
// is to wait again, without a node: for that its original is kept.

// original is a pod that is assumed, as it is without its node.
type original struct {
	pod *corev1.Pod
	// out says that its gang was taken out since the pod was assumed: the cache within does not
	// know that it is.
	out bool
}

// keepOriginals keeps the originals of the pods of a gang that are assumed, for it is taken out.
func (c *GroupCache) keepOriginals(state fwk.PodGroupState, pods map[types.UID]*corev1.Pod) {
	for uid := range state.AssumedPods() {
		one, newer := c.originals[uid]
		if !newer {
			pod := *pods[uid]
			pod.Spec.NodeName = ""
			one.pod = &pod
		}
		one.out = true
		c.originals[uid] = one
	}
}

// UpdatePodGroupMember changes a pod without a node. One that is assumed stays where it is.
func (c *GroupCache) UpdatePodGroupMember(logger klog.Logger, oldPod, newPod *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, known := c.originals[newPod.UID]; known && one.out {
		c.originals[newPod.UID] = original{newPod, true}
		return
	}
	if assumed, err := c.Cache.IsAssumedPod(newPod); err == nil && assumed && inGang(newPod) {
		c.originals[newPod.UID] = original{pod: newPod}
	}
	_ = c.changed(always(func() { c.Cache.UpdatePodGroupMember(logger, oldPod, newPod) }), oldPod, newPod)
}

// AddPod adds a pod that has a node, as that of one that was assumed. A gang that is out stays so.
func (c *GroupCache) AddPod(logger klog.Logger, pod *corev1.Pod) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.originals, pod.UID)
	w := c.among(pod)
	if w == nil {
		return c.changed(func() error { return c.Cache.AddPod(logger, pod) }, pod)
	}
	return c.inPlace(w, pod, c.Cache.AddPod(logger, pod))
}

// ForgetPod has a pod wait again that was assumed.
func (c *GroupCache) ForgetPod(logger klog.Logger, pod *corev1.Pod) error {
	return c.change(func() error {
		if err := c.Cache.ForgetPod(logger, pod); err != nil {
			return err
		}
		if one := c.originals[pod.UID]; one.out {
			c.Cache.RemovePodGroupMember(pod)
			c.Cache.AddPodGroupMember(one.pod)
		}
		delete(c.originals, pod.UID)
		return nil
	}, pod)
}

// RemoveAssumedPod removes a pod that is assumed.
func (c *GroupCache) RemoveAssumedPod(logger klog.Logger, pod *corev1.Pod) error {
	return c.change(func() error {
		err := c.Cache.RemoveAssumedPod(logger, pod)
		if err == nil {
			delete(c.originals, pod.UID)
		}
		return err
	}, pod)
}

// RemovePodGroupMember removes a pod without a node.
func (c *GroupCache) RemovePodGroupMember(pod *corev1.Pod) {
	c.changeMember(func() {
		c.Cache.RemovePodGroupMember(pod)
		delete(c.originals, pod.UID)
	}, pod)
}
