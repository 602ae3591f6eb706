package dialect

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// jobEvicted returns what becomes of a Job whose pods are evicted. An evicted pod has the
// condition DisruptionTarget and is a failed one, unless a rule of spec.podFailurePolicy
// ignores it. The Job fails once more pods have failed than spec.backoffLimit (6 if unsaid),
// and an index of it once it has failed more often than spec.backoffLimitPerIndex
// (Kubernetes 1.37: pkg/controller/job/job_controller.go, indexed_job_utils.go).
func jobEvicted(r *reader, pods []*corev1.Pod, o OwnerObject) Departure {
	d := Departure{Owner: o.OwnerRef, Together: true}
	root := r.root(o.Object)
	spec, status := root.object("spec"), root.object("status")
	switch action := evictionRule(spec); action {
	case batchv1.PodFailurePolicyActionIgnore:
		d.Together = false
		d.Action, d.Code, d.Text = Evict, DisruptionsIgnored, fmt.Sprintf("%s does not count evicted pods as failed (spec.podFailurePolicy)", o)
		return d
	case batchv1.PodFailurePolicyActionFailJob:
		d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when a pod of it is evicted: a rule of its podFailurePolicy says FailJob", o)
		return d
	}
	lost := int64(len(pods))
	limit := int64(6)
	perIndex := spec.integer("backoffLimitPerIndex")
	if perIndex != nil {
		limit = math.MaxInt32
		for _, pod := range pods {
			before, err := strconv.ParseInt(pod.Annotations[batchv1.JobIndexFailureCountAnnotation], 10, 32)
			if err != nil {
				before = 0
			}
			if before >= *perIndex {
				d.Together = false
				d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s gives up index %s for good when its pod is evicted: the index has failed %d times, and backoffLimitPerIndex is %d",
					o, clip(pod.Annotations[batchv1.JobCompletionIndexAnnotation]), before, *perIndex)
				return d
			}
		}
	}
	limit = integerOr(spec.integer("backoffLimit"), limit)
	failed := integerOr(status.integer("failed"), 0)
	if failed+lost <= limit {
		d.Together = false
		d.Action, d.Code, d.Text = Evict, RetriesLeft, fmt.Sprintf("%s has %d failed pods, and with the %d evicted no more than its backoffLimit of %d", o, failed, lost, limit)
		return d
	}
	d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when its pods are evicted: %d have failed, %d more would, and its backoffLimit is %d", o, failed, lost, limit)
	return d
}

// killed and terminated are the exit codes of a container that its kubelet ends.
const killed, terminated int64 = 137, 143

// evictionRule returns what a podFailurePolicy says of an evicted pod: the action of the first
// rule that it matches, "" if there is none. A rule about exit codes is taken to match if it
// has those of a container that was told to end.
func evictionRule(spec node) batchv1.PodFailurePolicyAction {
	for _, rule := range spec.object("podFailurePolicy").list("rules") {
		if matchesEviction(rule) {
			return batchv1.PodFailurePolicyAction(rule.text("action"))
		}
	}
	return ""
}

// failureReason returns the reason that a Job gives which fails because pods of it were
// evicted; "" if the Job is not known.
func failureReason(below []OwnerObject) string {
	i := slices.IndexFunc(below, func(o OwnerObject) bool { return o.isJob() && o.Object != nil })
	if i < 0 {
		return ""
	}
	spec := newReader(below[i].Object, below[i].Kind).root(below[i].Object).object("spec")
	switch {
	case evictionRule(spec) == batchv1.PodFailurePolicyActionFailJob:
		return batchv1.JobReasonPodFailurePolicy
	case spec.integer("backoffLimitPerIndex") != nil && spec.integer("backoffLimit") == nil:
		return batchv1.JobReasonFailedIndexes
	}
	return batchv1.JobReasonBackoffLimitExceeded
}

// onDisruption reports whether a rule of a podFailurePolicy is about the condition
// DisruptionTarget.
func onDisruption(rule node) bool {
	for _, c := range rule.list("onPodConditions") {
		if status := c.text("status"); c.text("type") == string(corev1.DisruptionTarget) && (status == "" || status == string(corev1.ConditionTrue)) {
			return true
		}
	}
	return false
}

func matchesEviction(rule node) bool {
	if onDisruption(rule) {
		return true
	}
	codes := rule.object("onExitCodes")
	if len(codes.fields) == 0 {
		return false
	}
	values, _ := codes.value("values").([]any)
	listed := func(code int64) bool {
		return slices.ContainsFunc(values, func(v any) bool {
			n := node{reader: codes.reader, at: codes.at, fields: map[string]any{"values": v}}.integer("values")
			return n != nil && *n == code
		})
	}
	if codes.text("operator") == string(batchv1.PodFailurePolicyOnExitCodesOpNotIn) {
		return !listed(killed) || !listed(terminated)
	}
	return listed(killed) || listed(terminated)
}

// jobSetEvicted returns what becomes of a JobSet one of whose Jobs fails for the eviction of
// its pods. Without a failure policy it fails. Else the first rule that the failed Job
// matches says what is done, and without one all Jobs are made again, as long as
// status.restartsCountTowardsMax is below maxRestarts (jobset v0.11.1
// pkg/controllers/failure_policy.go).
func jobSetEvicted(r *reader, pods []*corev1.Pod, o OwnerObject, below []OwnerObject) Departure {
	d := Departure{Owner: o.OwnerRef, Together: true}
	root := r.root(o.Object)
	policy := root.object("spec").object("failurePolicy")
	reason := failureReason(below)
	part := pods[0].Labels[jobSetReplicatedJobLabel]
	rules := policy.list("rules")
	if i := slices.IndexFunc(rules, func(rule node) bool { return ruleMatches(rule, part, reason) }); i >= 0 {
		switch rule := rules[i]; rule.text("action") {
		case "FailJobSet":
			d.Code, d.Text = OwnerFails, fmt.Sprintf("%s ends for good when pods of its job %q are evicted: rule %q of its failurePolicy says FailJobSet", o, clip(part), clip(rule.text("name")))
			return d
		case "RestartJobSetAndIgnoreMaxRestarts":
			d.Action, d.Code, d.Text = Evict, RestartsLeft, fmt.Sprintf("%s restarts without a limit when pods of its job %q are evicted", o, clip(part))
			return d
		}
	}
	used, most := integerOr(root.object("status").integer("restartsCountTowardsMax"), 0), integerOr(policy.integer("maxRestarts"), 0)
	if used < most {
		d.Action, d.Code, d.Text = Evict, RestartsLeft, fmt.Sprintf("%s restarts when its pods are evicted: it has done so %d times of %d", o, used, most)
		return d
	}
	d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when its pods are evicted: it has restarted %d times, and its maxRestarts is %d", o, used, most)
	return d
}

// ruleMatches reports whether a rule is about a Job of a replicated job that fails for a
// reason, which may be unknown, because pods of it were evicted. A rule about messages is
// taken for one that is.
func ruleMatches(rule node, part, reason string) bool {
	return (reason == "" || lacksOr(rule, "onJobFailureReasons", reason)) && lacksOr(rule, "targetReplicatedJobs", part)
}

// lacksOr reports whether a list of words is empty or has a word.
func lacksOr(rule node, field, word string) bool {
	words := rule.strings(field)
	return len(words) == 0 || slices.Contains(words, word)
}
