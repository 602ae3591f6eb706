package requeue

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
)

// requeueIndex finds the gangs and plain pods that an event may help. A gang or plain pod that its queue holds is none of them,
// also if it was refused before: whoever admits it activates it, and that it is who knows of room
// that came free. Where thousands are held, the others are found without a look at those.
//
// Every pod that the scheduling queue keeps outside of its heaps is held by its queue, or
//
//   - it was refused, or it is held by preemption after that; or
//   - it may be held for its claims, before its queue is asked; or
//   - its gang is not whole for the framework. Only pods of the gang, and its group, help.
type requeueIndex struct {
	entities map[entityID]*entity
	// open are those that have open pods, which events may help, and held those that their queue
	// holds. openPods and heldPods are how many pods there are of either.
	open               map[entityID]*entity
	openPods, heldPods int
	// turned are gangs that are held and were not, or the other way round, since somebody took
	// them.
	turned map[types.NamespacedName]struct{}
}

// entityID is the name of the group of a gang, or the UID of a plain pod.
type entityID struct {
	group types.NamespacedName
	pod   types.UID
}

// entity is a gang or a plain pod. The scheduling queue asks the queue of a gang by one of its
// pods, and none of them is tried if that one is held.
type entity struct {
	pods map[types.UID]pending
	held bool
	// claims are how many pods may wait for what they ask for, and tried how many others were
	// refused at some time.
	claims, tried int
}

// pending is a pod that waits.
type pending struct {
	name types.NamespacedName
	// tried says that it was refused at some time, and claims that the index cannot judge it: it
	// may wait for what it asks for.
	tried, claims bool
}

// open returns how many of its pods events may help.
func (e *entity) open() int {
	if e.held {
		return e.claims
	}
	return e.claims + e.tried
}

func (e *entity) isOpen(p pending) bool { return p.claims || p.tried && !e.held }

// set has a pod be as it is now.
func (e *entity) set(uid types.UID, p pending) {
	e.count(e.pods[uid], -1)
	e.count(p, 1)
	e.pods[uid] = p
}

func (e *entity) drop(uid types.UID) {
	e.count(e.pods[uid], -1)
	delete(e.pods, uid)
}

func (e *entity) count(p pending, sign int) {
	switch {
	case p.claims:
		e.claims += sign
	case p.tried:
		e.tried += sign
	}
}

// note takes in what a pod says of itself.
func (e *entity) note(pod *corev1.Pod) pending {
	p := e.pods[pod.UID]
	p.name, p.claims = nameOf(pod), podshape.ReasonOf(pod) != ""
	e.set(pod.UID, p)
	return p
}

// heldToOpen is how many pods there must be that are held for each that is open, for it to pay
// that the latter are named one by one.
const heldToOpen = 8

func newRequeueIndex() requeueIndex {
	return requeueIndex{entities: map[entityID]*entity{}, open: map[entityID]*entity{}, turned: map[types.NamespacedName]struct{}{}}
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

func entityOf(pod *corev1.Pod) entityID {
	if group, in := groupOf(pod); in {
		return entityID{group: group}
	}
	return entityID{pod: pod.UID}
}

// change changes the entity of a pod, which it makes if there is none, and forgets one without
// pods.
func (h *requeueIndex) change(pod *corev1.Pod, f func(e *entity)) {
	id := entityOf(pod)
	e := h.entities[id]
	if e == nil {
		e = &entity{pods: map[types.UID]pending{}}
		h.entities[id] = e
	}
	was := e.held
	h.count(e, -1)
	f(e)
	h.count(e, 1)
	if e.held != was && id.pod == "" {
		h.turned[id.group] = struct{}{}
	}
	switch {
	case len(e.pods) == 0:
		delete(h.entities, id)
		delete(h.open, id)
		delete(h.turned, id.group)
	case e.open() > 0:
		h.open[id] = e
	default:
		delete(h.open, id)
	}
}

// count adds the pods of an entity, or takes them out, if the sign is negative.
func (h *requeueIndex) count(e *entity, sign int) {
	h.openPods += sign * e.open()
	if e.held {
		h.heldPods += sign * len(e.pods)
	}
}

// came takes in a pod that is in a gang, or is not placed by the index.
func (h *requeueIndex) came(pod *corev1.Pod) { h.change(pod, func(e *entity) { e.note(pod) }) }

// asked takes in whether its queue let a pod, or its gang, pass.
func (h *requeueIndex) asked(pod *corev1.Pod, passed bool) {
	h.change(pod, func(e *entity) {
		e.note(pod)
		e.held = !passed
	})
}

// refused takes in that a pod was tried and has no place.
func (h *requeueIndex) refused(pod *corev1.Pod) {
	h.change(pod, func(e *entity) {
		p := e.note(pod)
		p.tried = true
		e.set(pod.UID, p)
	})
}

// gone forgets a pod.
func (h *requeueIndex) gone(pod *corev1.Pod) {
	h.change(pod, func(e *entity) { e.drop(pod.UID) })
}

// holds reports whether its queue holds a gang.
func (h *requeueIndex) holds(group types.NamespacedName) bool {
	e := h.entities[entityID{group: group}]
	return e != nil && e.held
}

// by returns whom an event about an object may help; false if that may be anybody.
func (h *requeueIndex) by(objects ...any) ([]types.NamespacedName, bool) {
	if h.heldPods <= heldToOpen*h.openPods {
		return nil, false
	}
	out := make([]types.NamespacedName, 0, h.openPods)
	for _, e := range h.open {
		for _, p := range e.pods {
			if e.isOpen(p) {
				out = append(out, p.name)
			}
		}
	}
	for _, object := range objects {
		var group types.NamespacedName
		switch o := object.(type) {
		case *corev1.Pod:
			group, _ = groupOf(o)
		case *schedulingv1beta1.PodGroup:
			group = types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
		}
		if e := h.entities[entityID{group: group}]; e != nil {
			for _, p := range e.pods {
				out = append(out, p.name)
			}
		}
	}
	return out, true
}

// MayHelp says which pods that wait an event may help.
func (q *Queue) MayHelp(oldObj, newObj any) fwk.PreQueueingHintResult {
	if q.OtherGates || q.spreads.Load() { // then a pod that comes or goes may help any other
		return fwk.PreQueueingHintResult{AllPods: true}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	pods, known := q.requeue.by(oldObj, newObj)
	return fwk.PreQueueingHintResult{AllPods: !known, Pods: pods}
}

// Asked takes in whether its queue let a pod pass, or holds it.
func (q *Queue) Asked(pod *corev1.Pod, passed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requeue.asked(pod, passed)
}

// GatesUnknown reports whether any profile has plugins that hold pods, and of which it is not
// known here what they wait for.
func GatesUnknown(profiles iter.Seq[framework.Framework]) bool {
	known := []string{ganggate.Name, queueadmission.Name, names.SchedulingGates, names.DynamicResources, names.DefaultPreemption, names.GangScheduling}
	for profile := range profiles {
		if slices.ContainsFunc(profile.PreEnqueuePlugins(), func(p fwk.PreEnqueuePlugin) bool { return !slices.Contains(known, p.Name()) }) {
			return true
		}
	}
	return false
}
