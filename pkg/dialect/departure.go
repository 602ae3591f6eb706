package dialect

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Action is how pods give up their places.
type Action uint8

const (
	// WouldNotSurvive is eviction, after which nobody makes the pods again.
	WouldNotSurvive Action = iota
	// Evict is eviction, after which their controller makes the pods again.
	Evict
	// Suspend is that of their owner, which makes them again when it is resumed.
	Suspend
)

func (a Action) String() string {
	switch a {
	case Suspend:
		return "Suspend"
	case Evict:
		return "Evict"
	}
	return "WouldNotSurvive"
}

// DepartureCode is why pods leave in that way.
type DepartureCode string

// What decides how pods leave.
const (
	OwnerSuspends      DepartureCode = "OwnerSuspends"
	PodsAreReplaced    DepartureCode = "PodsAreReplaced"
	DisruptionsIgnored DepartureCode = "DisruptionsIgnored"
	RetriesLeft        DepartureCode = "RetriesLeft"
	RestartsLeft       DepartureCode = "RestartsLeft"
	NoController       DepartureCode = "NoController"
	RetriesUsed        DepartureCode = "RetriesUsed"
	OwnerNotReadable   DepartureCode = "OwnerNotReadable"
	OwnerUnknown       DepartureCode = "OwnerUnknown"
	OwnerFails         DepartureCode = "OwnerFails"
)

// OwnerRef names an owner of pods.
type OwnerRef struct {
	APIVersion, Kind string
	Namespace, Name  string
	UID              types.UID
}

// String names the owner as a sentence does: Job "ns/name".
func (r OwnerRef) String() string { return fmt.Sprintf("%s %q", r.Kind, r.Namespace+"/"+r.Name) }

// Reference returns the owner as what an event is about.
func (r OwnerRef) Reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, UID: r.UID}
}

// Controller returns the controller of an object; false if it has none.
func Controller(obj metav1.Object) (OwnerRef, bool) {
	c := metav1.GetControllerOfNoCopy(obj)
	if c == nil {
		return OwnerRef{}, false
	}
	return OwnerRef{APIVersion: c.APIVersion, Kind: c.Kind, Namespace: obj.GetNamespace(), Name: c.Name, UID: c.UID}, true
}

// Readable returns where an owner is read from that [Departures] looks into; false for kinds
// that say nothing to it, and end the chain.
func (r OwnerRef) Readable() (schema.GroupVersionResource, bool) {
	if s, ok := suspendableOf(r); ok {
		_, version, _ := strings.Cut(r.APIVersion, "/")
		resource := s.Resource
		if version != "" {
			resource.Version = version
		}
		return resource, true
	}
	group, version, _ := strings.Cut(r.APIVersion, "/")
	switch r.groupKind() {
	case "ReplicaSet.apps", "StatefulSet.apps", "Deployment.apps", "LeaderWorkerSet.leaderworkerset.x-k8s.io", volcanoJobKind:
		return schema.GroupVersionResource{Group: group, Version: version, Resource: strings.ToLower(r.Kind) + "s"}, true
	}
	return schema.GroupVersionResource{}, false
}

// OwnerObject is a controller of pods, or of their controller, and so on.
type OwnerObject struct {
	OwnerRef
	// Object is nil if it could not be read: it is gone, of a kind that is not Readable, or
	// there is no right to read it.
	Object *unstructured.Unstructured
}

// Departure is how pods leave, and what that rests on.
type Departure struct {
	Action Action
	Code   DepartureCode
	// Owner is what is suspended, or what decides what an eviction does. It is the zero value
	// for pods without a controller.
	Owner OwnerRef
	// Text is the reason, as a sentence that names the object.
	Text string
	// Mend has, for pods that would not survive, what to do about it.
	Mend []string
	// Pods are those that leave so.
	Pods []*corev1.Pod
	// Together says that all pods of the owner end with these, of whichever gang they are: it
	// is suspended, ends for good, or starts again as a whole.
	Together bool
}

// Replaces reports whether the owner makes a single pod again that is lost. All do that make
// pods again at all, but for the AppWrapper, which makes what it wraps once, when it is
// resumed.
func (d Departure) Replaces() bool { return d.Action != Suspend || d.Owner.Kind != "AppWrapper" }

// What mends it if pods would not survive.
const (
	mendSuspend = "let Berth suspend it: kubectl apply -k manifests/suspend"
	mendPolicy  = "have the Job ignore evictions: spec.podFailurePolicy.rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]"
)

// Depart returns how pods of one controller leave. The owners are their controller, its
// controller and so on, as far as known. MaySuspend says whether Berth may suspend objects
// of a resource.
//
// The top-most owner is suspended, if it is of a kind that can be and nobody else does so:
// below it, its controller would undo it. CronJobs do not touch the Jobs that they made, and
// are left out. Otherwise pods are evicted, and the nearest owners decide whether they come
// again.
func Depart(pods []*corev1.Pod, owners []OwnerObject, maySuspend func(schema.GroupResource) bool) Departure {
	if len(owners) == 0 {
		return Departure{Code: NoController, Pods: pods, Text: fmt.Sprintf("pod %q has no controller that would make it again", pods[0].Namespace+"/"+pods[0].Name),
			Mend: []string{"have a controller make the pods, such as a Job", mendSuspend}}
	}
	why, suspendable := suspends(owners, maySuspend)
	if suspendable {
		top := topOf(owners)
		return Departure{Action: Suspend, Code: OwnerSuspends, Owner: top.OwnerRef, Pods: pods, Together: true, Text: fmt.Sprintf("%s makes its pods again when it is resumed", top)}
	}
	d := evicted(pods, owners)
	d.Pods = pods
	if d.Action == WouldNotSurvive {
		if why != "" {
			d.Text += "; it is not suspended, for " + why
		}
		if d.Mend = nil; owners[0].isJob() {
			d.Mend = append(d.Mend, mendPolicy)
		}
		d.Mend = append(d.Mend, mendOf(owners, maySuspend))
	}
	return d
}

// isJob reports whether the owner is a Job of batch.
func (r OwnerRef) isJob() bool { return r.groupKind() == "Job.batch" }

// topOf returns the owner that has no owner, but for CronJobs.
func topOf(owners []OwnerObject) OwnerObject {
	top := owners[len(owners)-1]
	if len(owners) > 1 && top.groupKind() == "CronJob.batch" {
		return owners[len(owners)-2]
	}
	return top
}

// suspends reports whether the top-most owner can be suspended; and if not, why.
func suspends(owners []OwnerObject, maySuspend func(schema.GroupResource) bool) (why string, ok bool) {
	top := topOf(owners)
	kind, ok := suspendableOf(top.OwnerRef)
	if !ok {
		return "", false
	}
	if top.Object != nil {
		// Kueue names the queue on the top-most object that it knows, which need not be the top.
		for _, o := range owners {
			if o.Object != nil && queuedByKueue(o.Object) {
				return fmt.Sprintf("Kueue suspends and resumes %s (label %s)", o, kueueQueueLabel), false
			}
		}
		if manager := kind.otherManager(top.Object); manager != "" {
			return fmt.Sprintf("%s is managed by %s (%s)", top, clip(manager), strings.Join(kind.managedBy, ".")), false
		}
		if kind.refuses != nil {
			if reason := kind.refuses(newReader(top.Object, kind.Kind), top.Object); reason != "" {
				return fmt.Sprintf("%s cannot be: %s", top, reason), false
			}
		}
	}
	if !maySuspend(kind.Resource.GroupResource()) {
		return "Berth has no right to suspend " + kind.Resource.GroupResource().String(), false
	}
	return "it could not be read", top.Object != nil
}

// mendOf says what is to be done so that the top-most owner is suspended, or its pods made
// again.
func mendOf(owners []OwnerObject, maySuspend func(schema.GroupResource) bool) string {
	top := topOf(owners)
	kind, ok := suspendableOf(top.OwnerRef)
	switch {
	case !ok:
		return "put the pods into an object that can be suspended, such as a Job or JobSet"
	case !maySuspend(kind.Resource.GroupResource()):
		return mendSuspend
	case top.Object != nil && kind.refuses != nil && kind.refuses(newReader(top.Object, kind.Kind), top.Object) != "":
		return "give the RayJob a cluster of its own and shutdownAfterJobFinishes: true, so that it can be suspended"
	}
	return "give it retries for evictions: a larger backoffLimit, maxRestarts, or a restartPolicy"
}

// evicted returns what becomes of pods that are evicted: the first owner that makes up for
// them decides, from below, else the last that is known to end.
func evicted(pods []*corev1.Pod, owners []OwnerObject) Departure {
	var last Departure
	for i := range owners {
		d := evictedFrom(pods, owners, i)
		if d.Action == Evict {
			return d
		}
		if i == 0 || d.Code != OwnerUnknown {
			last = d
		}
	}
	return last
}

// evictedFrom returns what becomes of one of the owners.
func evictedFrom(pods []*corev1.Pod, owners []OwnerObject, at int) Departure {
	o, above := owners[at], owners[at+1:]
	if sparkExecutors(pods, o) {
		return executorsEvicted(o)
	}
	kind := o.groupKind()
	switch kind {
	case "ReplicaSet.apps", "StatefulSet.apps", "Deployment.apps", "DaemonSet.apps", "ReplicationController", "LeaderWorkerSet.leaderworkerset.x-k8s.io":
		return Departure{Action: Evict, Code: PodsAreReplaced, Owner: o.OwnerRef, Text: fmt.Sprintf("%s makes every pod again that it loses", o)}
	case "RayCluster.ray.io":
		// What ran on it is lost, and a RayJob that did fails.
		if len(above) == 0 || above[0].Kind != "RayJob" {
			return Departure{Action: Evict, Code: PodsAreReplaced, Owner: o.OwnerRef, Text: fmt.Sprintf("%s makes every pod again that it loses", o)}
		}
	}
	switch _, known := suspendableOf(o.OwnerRef); {
	case !known && kind != volcanoJobKind:
		return Departure{Code: OwnerUnknown, Owner: o.OwnerRef, Text: fmt.Sprintf("%s is of a kind of which it is not known whether it makes evicted pods again", o)}
	case o.Object == nil:
		return Departure{Code: OwnerNotReadable, Owner: o.OwnerRef, Text: fmt.Sprintf("%s could not be read, and may end for good when its pods are evicted", o)}
	}
	r := newReader(o.Object, o.Kind)
	switch kind {
	case "Job.batch":
		return jobEvicted(r, pods, o)
	case "JobSet.jobset.x-k8s.io":
		return jobSetEvicted(r, pods, o, owners[:at])
	case volcanoJobKind:
		return volcanoJobEvicted(r, pods, o)
	case "RayJob.ray.io":
		return rayJobEvicted(r, o)
	case "SparkApplication.sparkoperator.k8s.io":
		return sparkDriverEvicted(r, o)
	}
	return Departure{Code: OwnerFails, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf("%s may end for good when its pods are evicted", o)}
}

// groupKind is the kind and API group of an owner, as kubectl writes them.
func (r OwnerRef) groupKind() string {
	if group, _, grouped := strings.Cut(r.APIVersion, "/"); grouped {
		return r.Kind + "." + group
	}
	return r.Kind
}

// rayJobEvicted: KubeRay 1.6.0 makes a new cluster and tries again while status.failed is at
// most spec.backoffLimit, 0 if unsaid (checkBackoffLimitAndUpdateStatusIfNeeded).
func rayJobEvicted(r *reader, o OwnerObject) Departure {
	limit := integerOr(r.root(o.Object).object("spec").integer("backoffLimit"), 0)
	failed := integerOr(r.root(o.Object).object("status").integer("failed"), 0)
	if failed+1 <= limit {
		return Departure{Action: Evict, Code: RetriesLeft, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf("%s has failed %d times and tries again %d times", o, failed, limit)}
	}
	return Departure{Code: RetriesUsed, Owner: o.OwnerRef, Together: true, Text: fmt.Sprintf("%s ends for good when its pods are evicted: it has failed %d times, and its backoffLimit is %d", o, failed, limit)}
}

// integerOr returns a number, or what it is if unsaid.
func integerOr(n *int64, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	return *n
}
