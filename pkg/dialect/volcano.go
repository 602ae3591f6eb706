package dialect

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations of Volcano.
const (
	volcanoGroupName    = "scheduling.volcano.sh/group-name"
	volcanoOldGroupName = "scheduling.k8s.io/group-name"
	volcanoGroupSize    = "scheduling.volcano.sh/group-min-member"
	volcanoQueueName    = "scheduling.volcano.sh/queue-name"
	volcanoTaskLabel    = "volcano.sh/task-spec"
	volcanoTaskIndex    = "volcano.sh/task-index"

	// volcanoDefaultQueue is what Volcano's CRD writes where the user said nothing.
	volcanoDefaultQueue = "default"
)

func volcanoGang(pod *corev1.Pod) statement {
	return spelled(
		pod.Annotations[volcanoGroupName], "annotation "+volcanoGroupName,
		pod.Annotations[volcanoOldGroupName], "annotation "+volcanoOldGroupName)
}

func volcanoSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	return wholeNumber(pod.Annotations, volcanoGroupSize, annotation)
}

func volcanoKind() Kind {
	return Kind{
		Resource: schema.GroupVersionResource{Group: "scheduling.volcano.sh", Version: "v1beta1", Resource: "podgroups"},
		Kind:     "PodGroup",
		Dialect:  Volcano,
		Declare:  declareVolcano,
		Status:   volcanoStatus,
	}
}

func declareVolcano(obj *unstructured.Unstructured) []Declared {
	r := newReader(obj, "PodGroup.scheduling.volcano.sh")
	spec := r.root(obj).object("spec")
	queue := spec.text("queue")
	if queue == volcanoDefaultQueue {
		queue = ""
	}
	claims := r.claims(obj, queue)
	claims.Size = spec.integer("minMember")
	if network := spec.object("networkTopology"); claims.Topology == (gang.Topology{}) {
		key, known := levels[network.text("highestTierName")]
		switch mode := network.text("mode"); {
		case !known:
		case mode == "soft":
			claims.Topology.Preferred = key
		default:
			claims.Topology.Required = key
		}
	}
	return r.declare(obj, claims, Volcano)
}

// Phases and conditions of a Volcano PodGroup.
const (
	volcanoInqueue   = "Inqueue"
	volcanoRunning   = "Running"
	volcanoUnknown   = "Unknown"
	volcanoCompleted = "Completed"

	volcanoUnschedulable = "Unschedulable"
	volcanoScheduled     = "Scheduled"
	volcanoReadyReason   = "tasks in gang are ready to be scheduled"
	volcanoReadyMessage  = "pod group is ready"
)

// volcanoStatus writes phase, running and the conditions Unschedulable and
// Scheduled. A group that waits is Inqueue and not Pending: Volcano's controllers
// create the pods of a Job only in that phase, and pods that wait cost nothing. It
// is Unknown, on which a Job may be told to restart, only if it ran before.
func volcanoStatus(obj *unstructured.Unstructured, o Outcome, now time.Time) []byte {
	var r reader
	status := r.root(obj).object("status")
	before := status.text("phase")
	if before == volcanoCompleted {
		return nil
	}
	phase := volcanoInqueue
	switch {
	case o.Scheduled:
		phase = volcanoRunning
	case o.Bound > 0 && (before == volcanoRunning || before == volcanoUnknown):
		phase = volcanoUnknown
	}
	changes := patch{}
	changes.text(status, "phase", phase)
	changes.count(status, "running", o.Running)

	list := status.conditions("conditions")
	if o.Scheduled {
		list.set(condition{"type": volcanoScheduled}, condition{
			"status": "True", "reason": volcanoReadyReason, "message": volcanoReadyMessage}, now)
		list.lower(condition{"type": volcanoUnschedulable}, now)
	} else {
		list.set(condition{"type": volcanoUnschedulable}, condition{
			"status": "True", "reason": string(o.Code), "message": o.Text}, now)
		list.lower(condition{"type": volcanoScheduled}, now)
	}
	changes.list("conditions", list)
	return changes.body()
}
