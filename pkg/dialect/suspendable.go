package dialect

import (
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Suspendable is a kind of owner that deletes its pods while a field of it is true, counts
// none of them as failed, and makes them anew once it is false.
type Suspendable struct {
	// Resource is where the kind is served.
	Resource schema.GroupVersionResource
	// Kind is the object's kind: "Job".
	Kind string
	// Field is the path to the field: spec.suspend.
	Field []string

	// managedBy is the path to the field that names the controller, and manager what it is
	// where the kind's own operator is meant.
	managedBy []string
	manager   string
	// refuses says why the operator does not suspend this object, "" if it does.
	refuses func(r *reader, obj *unstructured.Unstructured) string
	// names are labels by which pods name the object that they belong to, for kinds whose
	// pods have another controller in between.
	names []string
	// phase is a field that says Suspended once the object is; kinds without have a
	// condition, whose type is condition.
	phase     []string
	condition string
}

// Suspendables returns the kinds that can be suspended.
//
// Sources: batch/v1 of Kubernetes 1.37; jobset v0.11.1 api/jobset/v1alpha2; kuberay v1.6.0
// apis/ray/v1 and controllers/ray/utils/validation.go; trainer v2.2.0
// pkg/apis/trainer/v1alpha1; mpi-operator v0.8.0 pkg/apis/kubeflow/v2beta1;
// training-operator v1.9.3 pkg/apis/kubeflow.org/v1; appwrapper v1.2.0 api/v1beta2;
// spark-operator v2.5.0 api/v1beta2.
func Suspendables() []Suspendable {
	spec, runPolicy := []string{"spec", "suspend"}, []string{"spec", "runPolicy", "suspend"}
	specManager, runPolicyManager := []string{"spec", "managedBy"}, []string{"spec", "runPolicy", "managedBy"}
	kinds := []Suspendable{
		{
			Resource: batchv1.SchemeGroupVersion.WithResource("jobs"), Kind: "Job", Field: spec,
			managedBy: specManager, manager: batchv1.JobControllerName, condition: string(batchv1.JobSuspended),
		},
		{
			Resource: jobSetKind().Resource, Kind: "JobSet", Field: spec,
			managedBy: specManager, manager: "jobset.sigs.k8s.io/jobset-controller",
			names: []string{jobSetNameLabel}, condition: "Suspended",
		},
		{
			Resource: schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayjobs"}, Kind: "RayJob", Field: spec,
			managedBy: specManager, manager: rayOperator, refuses: refusedRayJob,
			names: []string{"ray.io/originated-from-cr-name", batchv1.JobNameLabel}, phase: []string{"status", "jobDeploymentStatus"},
		},
		{
			Resource: schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayclusters"}, Kind: "RayCluster", Field: spec,
			managedBy: specManager, manager: rayOperator, condition: "RayClusterSuspended",
		},
		{
			Resource: schema.GroupVersionResource{Group: "trainer.kubeflow.org", Version: "v1alpha1", Resource: "trainjobs"}, Kind: "TrainJob", Field: spec,
			managedBy: specManager, manager: "trainer.kubeflow.org/trainjob-controller",
			names: []string{jobSetNameLabel}, condition: "Suspended", // its JobSet has its name
		},
		{
			Resource: schema.GroupVersionResource{Group: "kubeflow.org", Version: "v2beta1", Resource: "mpijobs"}, Kind: "MPIJob", Field: runPolicy,
			managedBy: runPolicyManager, manager: "kubeflow.org/mpi-operator",
			names: []string{"training.kubeflow.org/job-name"}, condition: "Suspended",
		},
		{
			Resource: schema.GroupVersionResource{Group: "workload.codeflare.dev", Version: "v1beta2", Resource: "appwrappers"}, Kind: "AppWrapper", Field: spec,
			managedBy: specManager, manager: "workload.codeflare.dev/appwrapper-controller",
			names: []string{"workload.codeflare.dev/appwrapper"}, phase: []string{"status", "phase"},
		},
		sparkApplication(),
	}
	for _, kind := range []string{"PyTorchJob", "TFJob", "XGBoostJob", "JAXJob", "PaddleJob"} {
		kinds = append(kinds, Suspendable{
			Resource: schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: strings.ToLower(kind) + "s"}, Kind: kind, Field: runPolicy,
			managedBy: runPolicyManager, manager: "kubeflow.org/training-operator",
			names: []string{"training.kubeflow.org/job-name"}, condition: "Suspended",
		})
	}
	return kinds
}

const rayOperator = "ray.io/kuberay-operator"

// refusedRayJob is what ValidateRayJobSpec of KubeRay 1.6.0 refuses.
func refusedRayJob(r *reader, obj *unstructured.Unstructured) string {
	spec := r.root(obj).object("spec")
	switch shutdown, _ := spec.value("shutdownAfterJobFinishes").(bool); {
	case len(spec.object("clusterSelector").fields) > 0:
		return "it runs on a cluster that it selects (spec.clusterSelector)"
	case !shutdown:
		return "its spec.shutdownAfterJobFinishes is not true"
	}
	return ""
}

// suspendableOf returns the kind of an owner, if it can be suspended.
func suspendableOf(ref OwnerRef) (Suspendable, bool) {
	group, _, _ := strings.Cut(ref.APIVersion, "/")
	for _, s := range Suspendables() {
		if s.Kind == ref.Kind && s.Resource.Group == group {
			return s, true
		}
	}
	return Suspendable{}, false
}

// Suspended reports whether the object is to be suspended.
func (s Suspendable) Suspended(obj *unstructured.Unstructured) bool {
	suspended, _, err := unstructured.NestedBool(obj.Object, s.Field...)
	return err == nil && suspended
}

// Observed reports whether the object's controller says that it has suspended it.
func (s Suspendable) Observed(obj *unstructured.Unstructured) bool {
	if len(s.phase) > 0 {
		phase, _, err := unstructured.NestedString(obj.Object, s.phase...)
		return err == nil && strings.EqualFold(phase, "Suspended")
	}
	r := newReader(obj, s.Kind)
	return slices.ContainsFunc(r.root(obj).object("status").list("conditions"), func(c node) bool {
		return c.text("type") == s.condition && c.text("status") == string(metav1.ConditionTrue)
	})
}

// Has reports whether a pod goes when the object is suspended: the object is its controller,
// or the pod names it in a label of the kind.
func (s Suspendable) Has(obj *unstructured.Unstructured, pod *corev1.Pod) bool {
	if pod.Namespace != obj.GetNamespace() {
		return false
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.UID == obj.GetUID() {
		return true
	}
	if s.Kind == "RayJob" {
		// The pods of its cluster name that alone.
		cluster, _, err := unstructured.NestedString(obj.Object, "status", "rayClusterName")
		if err == nil && cluster != "" && pod.Labels["ray.io/cluster"] == cluster {
			return true
		}
	}
	return slices.ContainsFunc(s.names, func(label string) bool { return pod.Labels[label] == obj.GetName() })
}

// queuedByKueue reports whether Kueue suspends and resumes an object.
func queuedByKueue(obj *unstructured.Unstructured) bool {
	return obj.GetLabels()[kueueQueueLabel] != ""
}

// otherManager returns who manages an object in place of its operator, "" if nobody does.
func (s Suspendable) otherManager(obj *unstructured.Unstructured) string {
	manager, _, err := unstructured.NestedString(obj.Object, s.managedBy...)
	if err != nil || manager == s.manager {
		return ""
	}
	return manager
}

// SuspendableAt returns the kind of a resource, if it can be suspended.
func SuspendableAt(r schema.GroupResource) (Suspendable, bool) {
	for _, s := range Suspendables() {
		if s.Resource.GroupResource() == r {
			return s, true
		}
	}
	return Suspendable{}, false
}

// Suspendable returns the kind of an owner, if it can be suspended.
func (r OwnerRef) Suspendable() (Suspendable, bool) { return suspendableOf(r) }
