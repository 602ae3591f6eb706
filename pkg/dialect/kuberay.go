package dialect

import (
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// rayGangLabel asks KubeRay for a PodGroup, whatever its value.
const rayGangLabel = "ray.io/gang-scheduling-enabled"

// raySubmitterTask is the task of the pod that submits a RayJob to its cluster.
const raySubmitterTask = "submittergroup"

// submitsRayJob reports whether a pod submits a RayJob to the cluster of its gang, for Volcano.
// KubeRay 1.6.0 makes it once the cluster runs, writes it into the gang, and leaves it out of the
// size (handleRayJob in volcano_scheduler.go): were it one of them, a worker could go in its stead.
func submitsRayJob(pod *corev1.Pod) bool {
	if pod.Annotations[volcanoTaskLabel] != raySubmitterTask {
		return false
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "Job" && owner.APIVersion == batchv1.SchemeGroupVersion.String()
}

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
