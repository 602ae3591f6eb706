package dialect

import (
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// rayGangLabel asks KubeRay for a PodGroup, whatever its value.
const rayGangLabel = "ray.io/gang-scheduling-enabled"

// rayClusterKind is heard before the PodGroup that KubeRay makes for a RayCluster, for it
// makes that once and never again: scaled down, suspended and resumed, the cluster would
// wait for pods that its owner does not want any more.
func rayClusterKind() Kind {
	return Kind{
		Resource: schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayclusters"},
		Kind:     "RayCluster",
		Dialect:  SchedulerPlugins,
		Declare:  declareRayCluster,
		Owner:    true,
		Status:   noStatus,
	}
}

// declareRayCluster declares the gang of a RayCluster that has one, as KubeRay counts it:
//
//	1 + the sum over worker groups that are not suspended of
//	    min(max(replicas, minReplicas), maxReplicas) x numOfHosts
func declareRayCluster(obj *unstructured.Unstructured) []Declared {
	if _, asked := obj.GetLabels()[rayGangLabel]; !asked {
		return nil
	}
	r := newReader(obj, "RayCluster.ray.io")
	size := int64(1)
	for _, group := range r.root(obj).object("spec").list("workerGroupSpecs") {
		if suspended, _ := group.value("suspend").(bool); suspended {
			continue
		}
		least := integerOr(group.integer("minReplicas"), 0)
		replicas := min(max(integerOr(group.integer("replicas"), least), least), integerOr(group.integer("maxReplicas"), math.MaxInt32))
		size = addSaturating(size, multiplySaturating(replicas, integerOr(group.integer("numOfHosts"), 1)))
	}
	claims := r.claims(obj, "")
	claims.Size = &size
	return r.declare(obj, claims, SchedulerPlugins)
}
