package dialect

import (
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

	volcanoTopologyMode = "volcano.sh/network-topology-mode"
	volcanoTopologyTier = "volcano.sh/network-topology-highest-tier"

	// volcanoDefaultQueue is what Volcano's CRD writes where the user said nothing.
	volcanoDefaultQueue = "default"
)

func volcanoGang(pod *corev1.Pod) statement {
	return spelled(
		pod.Annotations[volcanoGroupName], "annotation "+volcanoGroupName,
		pod.Annotations[volcanoOldGroupName], "annotation "+volcanoOldGroupName)
}

// volcanoImpliedPrefix begins the names of PodGroups that Volcano's controllers make by
// themselves; the UID of the pod's controller follows, or the pod's own.
const volcanoImpliedPrefix = "podgroup-"

// volcanoImplied reports whether a pod names its PodGroup because Volcano's controllers
// made one for a pod that named none, and wrote that into the pod: of everybody's pods, if
// they are told to by --scheduler-name. It has one member at least, and says nothing that
// its user said.
func volcanoImplied(pod *corev1.Pod, s statement) bool {
	uid, ok := strings.CutPrefix(s.name, volcanoImpliedPrefix)
	if !ok || uid == "" || s.fault != nil || pod.Annotations[volcanoGroupSize] != "" {
		return false
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return uid == string(owner.UID)
	}
	return uid == string(pod.UID)
}

func volcanoSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	return wholeNumber(pod.Annotations, volcanoGroupSize, annotation)
}

func volcanoKind() Kind {
	return Kind{
		Resource:  schema.GroupVersionResource{Group: "scheduling.volcano.sh", Version: "v1beta1", Resource: "podgroups"},
		Kind:      "PodGroup",
		Dialect:   Volcano,
		Declare:   declareVolcano,
		Status:    volcanoStatus,
		Announced: volcanoAnnounced,
		Admit:     volcanoAdmit,
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
	claims.Size = noLeast(spec.integer("minMember"))
	if claims.Topology == (gang.Topology{}) {
		claims.Topology = volcanoNetwork(spec.object("networkTopology"))
	}
	return r.declare(obj, claims, Volcano)
}

// volcanoNetwork reads the field networkTopology of a PodGroup. A name of a tier that is
// not in the table of levels is not read.
func volcanoNetwork(network node) gang.Topology {
	level := levels[network.text("highestTierName")]
	if tier := network.integer("highestTierAllowed"); tier != nil {
		if *tier < 1 {
			network.blame("highestTierAllowed", "at least 1, which is the nearest tier")
			return gang.Topology{}
		}
		level = tierLevel(*tier)
	}
	return volcanoTopology(network.text("mode"), level)
}

// volcanoAnnotated reads the same from annotations, which Volcano reads on the pods that
// it makes a PodGroup for.
func volcanoAnnotated(annotations map[string]string) (gang.Topology, *gang.Fault) {
	mode := strings.ToLower(annotations[volcanoTopologyMode])
	switch mode {
	case "", volcanoHard, volcanoSoft:
	default:
		return gang.Topology{}, malformed("annotation %s is %q; expected %s or %s", volcanoTopologyMode, clip(annotations[volcanoTopologyMode]), volcanoHard, volcanoSoft)
	}
	tier, fault := wholeNumber(annotations, volcanoTopologyTier, annotation)
	switch {
	case fault != nil:
		return gang.Topology{}, fault
	case tier == nil:
		return volcanoTopology(mode, ""), nil
	case *tier < 1:
		return gang.Topology{}, malformed("annotation %s is %q; expected at least 1, which is the nearest tier", volcanoTopologyTier, annotations[volcanoTopologyTier])
	}
	return volcanoTopology(mode, tierLevel(*tier)), nil
}

// Modes of a topology. The mode is hard if none is said.
const (
	volcanoHard = "hard"
	volcanoSoft = "soft"
)

// volcanoTopology is what a mode and a level ask for: soft without a level, to be near
// each other; hard without a level, nothing.
func volcanoTopology(mode, level string) gang.Topology {
	switch {
	case mode != volcanoSoft:
		return gang.Topology{Required: level}
	case level == "":
		level = tierLevel(1)
	}
	return gang.Topology{Preferred: level}
}

// Phases and conditions of a Volcano PodGroup.
const (
	volcanoPending   = "Pending"
	volcanoInqueue   = "Inqueue"
	volcanoRunning   = "Running"
	volcanoUnknown   = "Unknown"
	volcanoCompleted = "Completed"

	volcanoUnschedulable = "Unschedulable"
	volcanoScheduled     = "Scheduled"
	volcanoReadyReason   = "tasks in gang are ready to be scheduled"
	volcanoReadyMessage  = "pod group is ready"
)

// volcanoAnnounced reads a PodGroup whose phase is the one before its pods, or the first
// with them. Volcano's controller of Jobs makes no pod before the phase is neither empty nor
// Pending. Beside what nodes have, minResources repeats it in the words of quotas.
func volcanoAnnounced(obj *unstructured.Unstructured) *Announcement {
	var r reader
	phase := r.root(obj).object("status").text("phase")
	if phase != "" && phase != volcanoPending && phase != volcanoInqueue {
		return nil
	}
	asks := quantities(obj, "minResources")
	for name := range asks {
		if of, _, ok := strings.Cut(string(name), "."); ok && (of == "requests" || of == "limits") ||
			strings.HasPrefix(string(name), "count/") || name == corev1.ResourcePods {
			delete(asks, name)
		}
	}
	return &Announcement{Admitted: phase == volcanoInqueue, Asks: asks}
}

// volcanoAdmit writes the phase, if the object is still as it was seen.
func volcanoAdmit(obj *unstructured.Unstructured) []byte {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": obj.GetResourceVersion()},
		"status":   map[string]any{"phase": volcanoInqueue},
	})
	if err != nil {
		return nil // strings are all that is in it
	}
	return body
}

// volcanoStatus writes phase, running and the conditions Unschedulable and
// Scheduled. A group that waits is Inqueue, for its pods are there; without any pod it is
// Pending, until its queue admits it. It is Unknown, on which a Job may be told to
// restart, only if it ran before.
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
	case o.Empty:
		phase = volcanoPending
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
	if o.Short != "" {
		list.set(condition{"type": ShortCondition}, condition{"status": "True", "reason": "GangShort", "message": o.Short}, now)
	} else {
		list.lower(condition{"type": ShortCondition}, now)
	}
	changes.list("conditions", list)
	return changes.body()
}
