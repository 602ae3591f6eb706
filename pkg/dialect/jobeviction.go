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
	d := Departure{Owner: o.OwnerRef}
	root := r.root(o.Object)
	spec, status := root.object("spec"), root.object("status")
	if ignoresEvictions(spec) {
		d.Action, d.Code, d.Text = Evict, DisruptionsIgnored, fmt.Sprintf("%s does not count evicted pods as failed (spec.podFailurePolicy)", o)
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
				d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s gives up index %s for good when its pod is evicted: the index has failed %d times, and backoffLimitPerIndex is %d",
					o, clip(pod.Annotations[batchv1.JobCompletionIndexAnnotation]), before, *perIndex)
				return d
			}
		}
	}
	limit = integerOr(spec.integer("backoffLimit"), limit)
	failed := integerOr(status.integer("failed"), 0)
	if failed+lost <= limit {
		d.Action, d.Code, d.Text = Evict, RetriesLeft, fmt.Sprintf("%s has %d failed pods, and with the %d evicted no more than its backoffLimit of %d", o, failed, lost, limit)
		return d
	}
	d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when its pods are evicted: %d have failed, %d more would, and its backoffLimit is %d", o, failed, lost, limit)
	return d
}

// killed and terminated are the exit codes of a container that its kubelet ends.
const killed, terminated int64 = 137, 143

// ignoresEvictions reports whether, of the rules of a podFailurePolicy, the first that an
// evicted pod matches is one that ignores it. A rule about exit codes is taken to match if
// it has those of a container that was told to end.
func ignoresEvictions(spec node) bool {
	for _, rule := range spec.object("podFailurePolicy").list("rules") {
		if !matchesEviction(rule) {
			continue
		}
		return rule.text("action") == string(batchv1.PodFailurePolicyActionIgnore)
	}
	return false
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
func jobSetEvicted(r *reader, pods []*corev1.Pod, o OwnerObject) Departure {
	d := Departure{Owner: o.OwnerRef}
	root := r.root(o.Object)
	policy := root.object("spec").object("failurePolicy")
	part := pods[0].Labels[jobSetReplicatedJobLabel]
	rules := policy.list("rules")
	if i := slices.IndexFunc(rules, func(rule node) bool { return ruleMatches(rule, part) }); i >= 0 {
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

// ruleMatches reports whether a rule is about a Job of a replicated job that fails because
// pods of it were evicted. A rule about messages is taken for one that is.
func ruleMatches(rule node, part string) bool {
	return lacksOr(rule, "onJobFailureReasons", batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonFailedIndexes) &&
		lacksOr(rule, "targetReplicatedJobs", part)
}

// lacksOr reports whether a field is empty or has one of the words.
func lacksOr(rule node, field string, words ...string) bool {
	list, _ := rule.value(field).([]any)
	return len(list) == 0 || slices.ContainsFunc(list, func(v any) bool {
		s, isText := v.(string)
		return isText && slices.Contains(words, s)
	})
}
