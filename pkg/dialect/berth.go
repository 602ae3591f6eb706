package dialect

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// Labels and annotations of our own.
const (
	berthGangLabel  = "berth.dev/gang"
	berthQueueLabel = "berth.dev/queue"
	berthGangSize   = "berth.dev/gang-size"
	berthRank       = "berth.dev/rank"

	berthRequiredTopology  = "berth.dev/required-topology"
	berthPreferredTopology = "berth.dev/preferred-topology"
	berthSegmentSize       = "berth.dev/segment-size"
	berthSegmentTopology   = "berth.dev/segment-topology"
)

// OnLossAnnotation says what is to be done when members of a gang are lost, in the words of
// repair.Policy: on the pods, or on the object that declares the gang.
const OnLossAnnotation = "berth.dev/on-loss"

// OnLoss reads what annotations say is to be done when members are lost: whatever it is, for
// what cannot be understood is told to the user, and holds nobody.
func OnLoss(annotations map[string]string) string { return clip(annotations[OnLossAnnotation]) }

func berthGang(pod *corev1.Pod) statement {
	return named(pod.Labels[berthGangLabel], "label "+berthGangLabel)
}

// GPULinkAnnotation says what every pair of a pod's devices must at least have, in the
// words of topology.Level.
const GPULinkAnnotation = "berth.dev/gpu-link"

// The annotations of a bound pod, which are written with its binding and by nobody else:
// which devices each of its containers was given, as JSON from the names of containers to
// lists of UUIDs; how good that is, and where; and the queue that pays.
const (
	DevicesAnnotation      = "berth.dev/devices"
	PlacementAnnotation    = "berth.dev/placement"
	ChargedQueueAnnotation = "berth.dev/charged-queue"
)

// Annotations of pods about their work. Instants are as in RFC 3339. All of them can make a
// gang go sooner, and none later but by the grace that an administrator gives its queue: an
// instant in the future, or before the pod began, is none.
const (
	// CheckpointedAt states when a pod last saved its work. What it did before is not lost if
	// it is evicted.
	CheckpointedAt = "berth.dev/checkpointed-at"
	// CheckpointSignal, "true", asks that the pod be told before its gang is evicted.
	CheckpointSignal = "berth.dev/checkpoint-signal"
	// CheckpointRequestedAt is when it was told. It has its queue's grace from then on; it may
	// leave by itself, or state in CheckpointedAt that it has saved its work.
	CheckpointRequestedAt = "berth.dev/checkpoint-requested-at"
)

// GangPlacedCondition is a condition of a pod that waits while the gang that it is a
// member of has its place without it: beyond the size of the gang, or in the place of a
// member that was lost. It tells a scheduler that starts anew that the gang was whole.
const GangPlacedCondition corev1.PodConditionType = "berth.dev/GangPlaced"

// EvictingCondition is a condition of one pod of a gang that is being evicted whole: the one
// that goes last. As long as part of the gang is there, whoever leads finds by it what was
// begun.
const EvictingCondition corev1.PodConditionType = "berth.dev/Evicting"

// Evicting reports whether a pod says that its gang is being evicted.
func Evicting(pod *corev1.Pod) bool { return HasCondition(pod, EvictingCondition) }

// HasCondition reports whether a condition of a pod is true.
func HasCondition(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
}

// LeftOut reports whether a pod has the condition.
func LeftOut(pod *corev1.Pod) bool { return HasCondition(pod, GangPlacedCondition) }

// WrittenAnnotations are those that the scheduler writes with a binding. On a pod without a
// node they mean nothing.
func WrittenAnnotations() []string {
	return []string{DevicesAnnotation, PlacementAnnotation, ChargedQueueAnnotation}
}

// GPULink returns the links that a pod asks for between its devices.
func GPULink(pod *corev1.Pod) (topology.Level, error) {
	word, ok := pod.Annotations[GPULinkAnnotation]
	if !ok {
		return topology.AnyLink, nil
	}
	level, known := topology.ParseLevel(word)
	if !known {
		return topology.AnyLink, fmt.Errorf("annotation %s is %q; it must be nvlink, pcie, numa or any", GPULinkAnnotation, word)
	}
	return level, nil
}
