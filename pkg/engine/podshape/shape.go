package podshape

import (
	"container/list"
	"encoding/binary"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// keptShapes is how many shapes a profile keeps; the one not used for longest goes.
const keptShapes = 512

// Shape is what pods have in common that get the same answers from plugins that look
// at a node and at nothing else: what they request, and which nodes they may use.
//
// It is made from the pod itself. A PodSignature would do, but has the labels and
// images of the pod in it, on which no such answer depends: each pod of an indexed
// job would be a shape of its own.
type Shape struct {
	Key string
	filterResults
	dislikes
	// Verified are nodes that took a pod of the shape when they were asked for a plan, and
	// whose object has not changed since.
	Verified pack.Set
}

// Shapes are the shapes of a profile's pods, the latest used first.
type Shapes struct {
	byKey  map[string]*list.Element
	recent list.List
	buffer []byte
}

// Of returns the shape of a pod that requests r, and devices.
func (s *Shapes) Of(pod *corev1.Pod, r fwk.Resource, devices *device.DeviceRequest) *Shape {
	s.buffer = devices.AppendParts(appendShape(s.buffer[:0], pod, r))
	if e, known := s.byKey[string(s.buffer)]; known {
		s.recent.MoveToFront(e)
		return e.Value.(*Shape)
	}
	if s.byKey == nil {
		s.byKey = map[string]*list.Element{}
	}
	if s.recent.Len() >= keptShapes {
		oldest := s.recent.Remove(s.recent.Back()).(*Shape)
		delete(s.byKey, oldest.Key)
	}
	one := &Shape{Key: string(s.buffer)}
	s.byKey[one.Key] = s.recent.PushFront(one)
	return one
}

// appendShape appends a text that is equal for pods of one shape and no others.
func appendShape(to []byte, pod *corev1.Pod, r fwk.Resource) []byte {
	to = binary.AppendVarint(to, r.GetMilliCPU())
	to = binary.AppendVarint(to, r.GetMemory())
	to = binary.AppendVarint(to, r.GetEphemeralStorage())
	scalars := r.GetScalarResources()
	to = binary.AppendUvarint(to, uint64(len(scalars)))
	switch len(scalars) {
	case 0:
	case 1: // without a sort
		for name, amount := range scalars {
			to = binary.AppendVarint(appendText(to, string(name)), amount)
		}
	default:
		for _, name := range slices.Sorted(maps.Keys(scalars)) {
			to = binary.AppendVarint(appendText(to, string(name)), scalars[name])
		}
	}
	to = binary.AppendUvarint(to, uint64(len(pod.Spec.Tolerations)))
	for i := range pod.Spec.Tolerations {
		t := &pod.Spec.Tolerations[i]
		to = appendText(to, t.Key, string(t.Operator), t.Value, string(t.Effect))
	}
	to = binary.AppendUvarint(to, uint64(len(pod.Spec.NodeSelector)))
	if len(pod.Spec.NodeSelector) > 0 {
		for _, key := range slices.Sorted(maps.Keys(pod.Spec.NodeSelector)) {
			to = appendText(to, key, pod.Spec.NodeSelector[key])
		}
	}
	if a := pod.Spec.Affinity; a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		to = append(to, 0)
	} else {
		// One more than the terms: an affinity without terms matches no node.
		to = binary.AppendUvarint(to, uint64(len(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms))+1)
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			to = appendRequirements(to, term.MatchExpressions)
			to = appendRequirements(to, term.MatchFields)
		}
	}
	return appendText(to, pod.Spec.NodeName, pod.Annotations[dialect.GPULinkAnnotation])
}

func appendRequirements(to []byte, requirements []corev1.NodeSelectorRequirement) []byte {
	to = binary.AppendUvarint(to, uint64(len(requirements)))
	for _, r := range requirements {
		to = appendText(to, r.Key, string(r.Operator))
		to = binary.AppendUvarint(to, uint64(len(r.Values)))
		to = appendText(to, r.Values...)
	}
	return to
}

// appendText appends texts, each after its length.
func appendText(to []byte, texts ...string) []byte {
	for _, text := range texts {
		to = append(binary.AppendUvarint(to, uint64(len(text))), text...)
	}
	return to
}
