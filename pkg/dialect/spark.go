package dialect

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Labels of the pods of Spark, and of its operator.
const (
	sparkRoleLabel    = "spark-role"
	sparkExecutorRole = "executor"
	sparkAppNameLabel = "sparkoperator.k8s.io/app-name"
)

// sparkApplication is the kind of the Spark operator 2.5.0. The controller deletes the driver's
// pod of an application that is suspended, and Spark its executors when the driver is told to
// end; resumed, it is submitted anew.
func sparkApplication() Suspendable {
	return Suspendable{
		Resource: schema.GroupVersionResource{Group: "sparkoperator.k8s.io", Version: "v1beta2", Resource: "sparkapplications"}, Kind: "SparkApplication",
		Field: []string{"spec", "suspend"}, names: []string{sparkAppNameLabel}, phase: []string{"status", "applicationState", "state"},
	}
}

// sparkExecutors reports whether pods are executors of a driver, whose pod is their controller.
func sparkExecutors(pods []*corev1.Pod, o OwnerObject) bool {
	return o.groupKind() == "Pod" && !slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.Labels[sparkRoleLabel] != sparkExecutorRole })
}

// executorsEvicted: a driver asks for others in place of executors that it loses, and does their
// work again (Spark 4.0, ExecutorPodsAllocator). So they are evicted, and the application is not
// suspended, which would end the driver with all that it has done.
func executorsEvicted(o OwnerObject) Departure {
	return Departure{Action: Evict, Code: PodsAreReplaced, Owner: o.OwnerRef, Text: fmt.Sprintf("the driver in %s makes other executors for those that it loses", o)}
}

// sparkDriverEvicted: the application is submitted again as its restartPolicy says (ShouldRetry
// of the Spark operator 2.5.0).
func sparkDriverEvicted(r *reader, o OwnerObject) Departure {
	policy := r.root(o.Object).object("spec").object("restartPolicy")
	attempts := integerOr(r.root(o.Object).object("status").integer("executionAttempts"), 0)
	retries := policy.integer("onFailureRetries")
	kind := policy.text("type")
	switch {
	case kind == "Always":
		return Departure{Action: Evict, Code: RetriesLeft, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf("%s is submitted again when its driver is evicted", o)}
	case kind == "OnFailure" && retries != nil && attempts <= *retries:
		return Departure{Action: Evict, Code: RetriesLeft, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf(
			"%s is submitted again when its driver is evicted: it ran %d times, and its onFailureRetries is %d", o, attempts, *retries)}
	}
	return Departure{Code: RetriesUsed, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf("%s ends for good when its driver is evicted, by its restartPolicy", o)}
}
