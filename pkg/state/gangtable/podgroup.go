package gangtable

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Annotations of a translated pod group for what the native type has no field for.
const (
	AnnotationPreferredTopology = "berth.dev/preferred-topology"
	AnnotationSegmentSize       = "berth.dev/segment-size"
	AnnotationSegmentTopology   = "berth.dev/segment-topology"
	AnnotationQueue             = "berth.dev/queue"
	AnnotationSource            = "berth.dev/declared-by"
)

// PodGroup returns the native pod group that stands for a gang inside the
// scheduler. It never reaches the API server. Its least count is what the gang needs of
// those members that the scheduler knows: the others are done, or will not come. Its
// disruption mode is "all": a gang of which one pod is preempted holds its other places
// for nothing.
func PodGroup(g gang.Group) *schedulingv1beta1.PodGroup {
	name := g.Key.GroupName()
	pg := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   g.Key.Namespace,
			Name:        name,
			UID:         types.UID("berth/" + g.Key.Namespace + "/" + name),
			Annotations: map[string]string{},
		},
		Spec: schedulingv1beta1.PodGroupSpec{
			SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
				Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: g.Need},
			},
			DisruptionMode: &schedulingv1beta1.DisruptionMode{All: &schedulingv1beta1.AllDisruptionMode{}},
			Priority:       &g.Priority,
		},
	}
	if g.Preemption != "" {
		policy := schedulingv1beta1.PreemptionPolicy(g.Preemption)
		pg.Spec.PreemptionPolicy = &policy
	}
	if key := g.Topology.Required; key != "" {
		pg.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{
			Topology: []schedulingv1beta1.TopologyConstraint{{Key: key}},
		}
	}
	annotate := func(key, value string) {
		if value != "" {
			pg.Annotations[key] = value
		}
	}
	annotate(AnnotationPreferredTopology, g.Topology.Preferred)
	if n := g.Topology.SegmentSize; n != 0 {
		annotate(AnnotationSegmentSize, strconv.FormatInt(n, 10))
	}
	annotate(AnnotationSegmentTopology, g.Topology.SegmentLevel)
	annotate(AnnotationQueue, g.Queue)
	annotate(AnnotationSource, g.Source)
	return pg
}

// NativePodGroup returns a native pod group as the scheduler is to know it: with the
// least count that its gang needs of those members that the scheduler knows.
func NativePodGroup(pg *schedulingv1beta1.PodGroup, g gang.Group) *schedulingv1beta1.PodGroup {
	pg = pg.DeepCopy()
	if policy := pg.Spec.SchedulingPolicy.Gang; policy != nil {
		policy.MinCount = g.Need
	}
	return pg
}

// LeastCount returns how many members of a pod group must have a place together. Those of
// one without the gang policy may run one by one.
func LeastCount(pg *schedulingv1beta1.PodGroup) int32 {
	if policy := pg.Spec.SchedulingPolicy.Gang; policy != nil {
		return policy.MinCount
	}
	return 1
}

// nativeResource is the resource of native pod groups.
var nativeResource = schedulingv1beta1.SchemeGroupVersion.WithResource("podgroups")

// nativeDeclaration reads a native pod group. One without the gang policy is a
// set of pods that may run one by one: a gang of one.
func nativeDeclaration(pg *schedulingv1beta1.PodGroup) gang.Declaration {
	size := int64(LeastCount(pg))
	claims := gang.Claims{Size: &size, Queue: pg.Labels[AnnotationQueue], OnLoss: dialect.OnLoss(pg.Annotations)}
	if c := pg.Spec.SchedulingConstraints; c != nil && len(c.Topology) > 0 {
		claims.Topology.Required = c.Topology[0].Key
	}
	return gang.Declaration{Source: "PodGroup." + schedulingv1beta1.GroupName, Claims: claims}
}

func referenceTo(obj *unstructured.Unstructured) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: obj.GetAPIVersion(),
		Kind:       obj.GetKind(),
		Namespace:  obj.GetNamespace(),
		Name:       obj.GetName(),
		UID:        obj.GetUID(),
	}
}

func referenceToNative(pg *schedulingv1beta1.PodGroup) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: schedulingv1beta1.SchemeGroupVersion.String(),
		Kind:       "PodGroup",
		Namespace:  pg.Namespace,
		Name:       pg.Name,
		UID:        pg.UID,
	}
}

// TopologyOf returns the topology that a pod group asks for: the required level by the
// native field, what that has no room for by annotations. An annotation that makes no
// sense asks for nothing.
func TopologyOf(pg *schedulingv1beta1.PodGroup) gang.Topology {
	t := gang.Topology{Preferred: pg.Annotations[AnnotationPreferredTopology]}
	if c := pg.Spec.SchedulingConstraints; c != nil && len(c.Topology) > 0 {
		t.Required = c.Topology[0].Key
	}
	if n, err := strconv.ParseInt(pg.Annotations[AnnotationSegmentSize], 10, 32); err == nil && n > 0 && pg.Annotations[AnnotationSegmentTopology] != "" {
		t.SegmentSize, t.SegmentLevel = n, pg.Annotations[AnnotationSegmentTopology]
	}
	return t
}
