package dialect

import (
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Reach is which pods end, and are made anew or not at all, when one pod of an owner is
// evicted.
type Reach string

// The reaches, nearest first.
const (
	// ReachPod: the pod alone.
	ReachPod Reach = "pod"
	// ReachGroup: the pods of its group, of several that the owner has: a group of a
	// LeaderWorkerSet, a task of a Volcano Job, a Job of a JobSet.
	ReachGroup Reach = "group"
	// ReachOwner: all pods of the owner.
	ReachOwner Reach = "owner"
)

// Endless is the number of evictions that an owner survives which does not count them.
const Endless = math.MaxInt64

// Loss is what the eviction of one pod does to the pods of its owner.
type Loss struct {
	Reach Reach
	// Survives is how many such evictions the owner survives, one after the other: with 0,
	// the next one ends it for good. Pods that end together count once.
	Survives int64
}

// LossOf reads from an owner object alone what the eviction of one pod of a role does (see
// Membership.Role; for a LeaderWorkerSet, leader or worker). Kinds: Job, JobSet,
// LeaderWorkerSet, the Job of Volcano; false for others, and if fields are not what they
// are to be. owner is the topmost object whose controller makes up for pods: of the pods of
// a JobSet, that and not their Job.
//
// The sources are the controllers of Kubernetes 1.37, JobSet 0.11.1, LeaderWorkerSet 0.8.0
// and Volcano 1.15.1.
func LossOf(owner *unstructured.Unstructured, role string) (Loss, bool) {
	r := newReader(owner, owner.GetKind())
	root := r.root(owner)
	var loss Loss
	switch owner.GroupVersionKind().GroupKind().String() {
	case "Job.batch":
		loss = lossOfJob(root.object("spec"), integerOr(root.object("status").integer("failed"), 0))
	case "JobSet.jobset.x-k8s.io":
		loss = lossOfJobSet(root, role)
	case "LeaderWorkerSet.leaderworkerset.x-k8s.io":
		loss = lossOfLeaderWorkerSet(root.object("spec"), role)
	case "Job.batch.volcano.sh":
		loss = lossOfVolcanoJob(root, role)
	default:
		return Loss{}, false
	}
	if r.fault != nil {
		return Loss{}, false
	}
	return loss, true
}

// lossOfJob: an eviction is a failure that counts against backoffLimit, 6 if unsaid, and
// with the one that passes it all pods of the Job are deleted. A rule of podFailurePolicy
// on the condition DisruptionTarget says something else, if it comes first. With
// backoffLimitPerIndex each index counts by itself.
func lossOfJob(spec node, failed int64) Loss {
	switch disruptionRule(spec.object("podFailurePolicy")) {
	case "Ignore":
		return Loss{ReachPod, Endless}
	case "FailJob":
		return Loss{ReachOwner, 0}
	}
	if n := spec.integer("backoffLimitPerIndex"); n != nil {
		return Loss{ReachPod, max(0, *n)}
	}
	left := max(0, integerOr(spec.integer("backoffLimit"), 6)-failed)
	if left == 0 {
		return Loss{ReachOwner, 0}
	}
	return Loss{ReachPod, left}
}

// disruptionRule returns the action of the first rule that an evicted pod matches for its
// condition DisruptionTarget; "" if there is none. Rules on exit codes are not looked at:
// which code a pod ends with nobody knows before.
func disruptionRule(policy node) string {
	for _, rule := range policy.list("rules") {
		if onDisruption(rule) {
			return rule.text("action")
		}
	}
	return ""
}

// lossOfJobSet: a Job of the set that fails takes all of them along; by failurePolicy they
// start again, maxRestarts times. Which failures are not counted, its rules say. An eviction
// that the Job makes up for by itself does not reach the set.
func lossOfJobSet(root node, role string) Loss {
	spec := root.object("spec")
	farthest := Loss{ReachPod, Endless}
	for _, job := range spec.list("replicatedJobs") {
		if name := job.text("name"); role == "" || name == role {
			loss := lossOfJob(job.object("template").object("spec"), 0)
			if loss.Reach == ReachOwner {
				loss = lossOfFailedJob(root, name)
			}
			if loss.Reach == ReachOwner && farthest.Reach != ReachOwner || loss.Reach == farthest.Reach && loss.Survives < farthest.Survives {
				farthest = loss
			}
		}
	}
	return farthest
}

// lossOfFailedJob is what becomes of a JobSet of which a Job fails.
func lossOfFailedJob(root node, name string) Loss {
	policy := root.object("spec").object("failurePolicy")
	if policy.fields == nil {
		return Loss{ReachOwner, 0}
	}
	left := max(0, integerOr(policy.integer("maxRestarts"), 0)-integerOr(root.object("status").integer("restartsCountTowardsMax"), 0))
	for _, rule := range policy.list("rules") {
		targets, reasons := rule.strings("targetReplicatedJobs"), rule.strings("onJobFailureReasons")
		if len(targets) > 0 && !slices.Contains(targets, name) ||
			len(reasons) > 0 && !slices.Contains(reasons, "BackoffLimitExceeded") && !slices.Contains(reasons, "PodFailurePolicy") ||
			rule.value("onJobFailureMessagePatterns") != nil {
			continue
		}
		switch rule.text("action") {
		case "FailJobSet":
			return Loss{ReachOwner, 0}
		case "RestartJobSetAndIgnoreMaxRestarts":
			return Loss{ReachOwner, Endless}
		}
		break
	}
	return Loss{ReachOwner, left}
}

// lossOfLeaderWorkerSet: by default the whole group is made anew. With None a worker is made
// anew alone; but the workers of a group belong to its leader, and go with it.
func lossOfLeaderWorkerSet(spec node, role string) Loss {
	policy := spec.object("leaderWorkerTemplate").text("restartPolicy")
	if role == "worker" && (policy == "None" || policy == "Default") {
		return Loss{ReachPod, Endless}
	}
	return Loss{ReachGroup, Endless}
}

// lossOfVolcanoJob: the policies of the pod's task, then those of the Job, say what follows
// from its eviction; nothing else does, and the pod is made anew. Whatever is started again,
// even the pod alone, counts, and with the count of maxRetry, 3 if unsaid, the Job fails.
func lossOfVolcanoJob(root node, task string) Loss {
	spec := root.object("spec")
	action := ""
	for _, t := range spec.list("tasks") {
		if action == "" && t.text("name") == task {
			action = evictionAction(t)
		}
	}
	if action == "" {
		action = evictionAction(spec)
	}
	left := max(0, integerOr(spec.integer("maxRetry"), 3)-integerOr(root.object("status").integer("retryCount"), 0)-1)
	switch action {
	case "RestartJob":
		return Loss{ReachOwner, left}
	case "AbortJob", "TerminateJob", "CompleteJob":
		return Loss{ReachOwner, 0}
	case "RestartTask", "RestartPartition":
		return Loss{ReachGroup, left}
	case "RestartPod":
		return Loss{ReachPod, left}
	}
	return Loss{ReachPod, Endless}
}

// evictionAction returns the action of the first policy on the eviction of a pod. A pod that
// its kubelet ended fails before it goes.
func evictionAction(of node) string {
	for _, policy := range of.list("policies") {
		events := policy.strings("events")
		if event := policy.text("event"); event != "" {
			events = append(events, event)
		}
		if slices.Contains(events, "*") || slices.Contains(events, "PodEvicted") || slices.Contains(events, "PodFailed") {
			return policy.text("action")
		}
	}
	return ""
}
