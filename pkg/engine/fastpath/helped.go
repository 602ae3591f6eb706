package fastpath

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
)

// helped knows whom an event may help. A pod that its queue holds is none of them: whoever
// lets it in activates it. Where thousands are held, the others are found without a look at
// those.
//
// Every pod that the scheduling queue keeps outside of its heaps is held by its queue, or
//
//   - it was refused, or it is held by preemption after that; or
//   - it may be held for its claims, before its queue is asked; or
//   - its gang is not whole for the framework. Only pods of the gang, and its group, help.
type helped struct {
	// open are pods that were refused and that their queue does not hold, and those that may
	// be held for what they ask for; held are those that their queue holds.
	open map[types.UID]types.NamespacedName
	held map[types.UID]bool
	// tried are pods that were refused at some time.
	tried map[types.UID]bool
	// gangs are the pods of each gang, by the name of its group.
	gangs map[types.NamespacedName]map[types.UID]types.NamespacedName
	// turned are gangs of which a pod is held that was not, or the other way round, since
	// somebody took them.
	turned map[types.NamespacedName]struct{}
}

// heldToOpen is how many pods there must be that are held for each that is not, for it to
// pay that the latter are named one by one.
const heldToOpen = 8

func newHelped() helped {
	return helped{
		open: map[types.UID]types.NamespacedName{}, held: map[types.UID]bool{}, tried: map[types.UID]bool{},
		gangs: map[types.NamespacedName]map[types.UID]types.NamespacedName{}, turned: map[types.NamespacedName]struct{}{},
	}
}

func nameOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

// groupOf returns the name of a pod's group, if it is in a gang.
func groupOf(pod *corev1.Pod) (types.NamespacedName, bool) {
	if !inGang(pod) || pod.Spec.SchedulingGroup.PodGroupName == nil {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: pod.Namespace, Name: *pod.Spec.SchedulingGroup.PodGroupName}, true
}

// came takes in a pod that is in a gang, or is not placed by the index.
func (h *helped) came(pod *corev1.Pod) {
	if reasonOf(pod) != "" {
		h.open[pod.UID] = nameOf(pod)
	}
	group, in := groupOf(pod)
	if !in {
		return
	}
	if h.gangs[group] == nil {
		h.gangs[group] = map[types.UID]types.NamespacedName{}
	}
	h.gangs[group][pod.UID] = nameOf(pod)
}

// asked takes in whether its queue let a pod pass.
func (h *helped) asked(pod *corev1.Pod, passed bool) {
	if group, in := groupOf(pod); in && h.held[pod.UID] == passed {
		h.turned[group] = struct{}{}
	}
	if passed {
		delete(h.held, pod.UID)
		if h.tried[pod.UID] {
			h.open[pod.UID] = nameOf(pod)
		}
		return
	}
	h.held[pod.UID] = true
	if reasonOf(pod) == "" {
		delete(h.open, pod.UID)
	}
}

// refused takes in that a pod was tried and has no place.
func (h *helped) refused(pod *corev1.Pod) {
	h.tried[pod.UID] = true
	h.open[pod.UID] = nameOf(pod)
}

// gone forgets a pod.
func (h *helped) gone(pod *corev1.Pod) {
	delete(h.open, pod.UID)
	delete(h.tried, pod.UID)
	delete(h.held, pod.UID)
	if group, in := groupOf(pod); in {
		delete(h.gangs[group], pod.UID)
		if len(h.gangs[group]) == 0 {
			delete(h.gangs, group)
			delete(h.turned, group)
		}
	}
}

// holds reports whether its queue holds a gang.
func (h *helped) holds(group types.NamespacedName) bool {
	for uid := range h.gangs[group] {
		if h.held[uid] {
			return true
		}
	}
	return false
}

// by returns whom an event about an object may help; false if that may be anybody.
func (h *helped) by(objects ...any) ([]types.NamespacedName, bool) {
	if len(h.held) <= heldToOpen*len(h.open) {
		return nil, false
	}
	out := make([]types.NamespacedName, 0, len(h.open))
	for _, name := range h.open {
		out = append(out, name)
	}
	for _, object := range objects {
		var group types.NamespacedName
		switch o := object.(type) {
		case *corev1.Pod:
			group, _ = groupOf(o)
		case *schedulingv1beta1.PodGroup:
			group = types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
		}
		for _, name := range h.gangs[group] {
			out = append(out, name)
		}
	}
	return out, true
}

// MayHelp says which pods that wait an event may help. The scheduling queue asks under its
// lock.
func (p *Path) MayHelp(_ klog.Logger, oldObj, newObj any) (fwk.PreQueueingHintResult, error) {
	if p.queue == nil || p.queue.otherGates {
		return fwk.PreQueueingHintResult{AllPods: true}, nil
	}
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	pods, known := p.queue.helped.by(oldObj, newObj)
	return fwk.PreQueueingHintResult{AllPods: !known, Pods: pods}, nil
}

// Asked takes in whether its queue let a pod pass, or holds it.
func (p *Path) Asked(pod *corev1.Pod, passed bool) {
	if p.queue == nil {
		return
	}
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.queue.helped.asked(pod, passed)
}

// gatesUnknown reports whether a profile has plugins that hold pods, and of which it is not
// known here what they wait for.
func gatesUnknown(schedFramework framework.Framework) bool {
	known := []string{ganggate.Name, queueadmission.Name, names.SchedulingGates, names.DynamicResources, names.DefaultPreemption, names.GangScheduling}
	return slices.ContainsFunc(schedFramework.PreEnqueuePlugins(), func(p fwk.PreEnqueuePlugin) bool { return !slices.Contains(known, p.Name()) })
}
