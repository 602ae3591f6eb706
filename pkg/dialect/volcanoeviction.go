package dialect

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// volcanoJobKind is the kind and group of Volcano's Job.
const volcanoJobKind = "Job.batch.volcano.sh"

// volcanoJobEvicted returns what becomes of a Volcano Job whose pods are evicted. The policies
// of the pods' task, then those of the Job, say what follows; nothing else does, and the
// pods are made anew. Whatever is started again counts, even the pod alone, and with the count
// of maxRetry, 3 if unsaid, the Job fails (Volcano 1.15.1: pkg/controllers/job/state).
func volcanoJobEvicted(r *reader, pods []*corev1.Pod, o OwnerObject) Departure {
	d := Departure{Owner: o.OwnerRef}
	root := r.root(o.Object)
	spec, task := root.object("spec"), pods[0].Labels[volcanoTaskLabel]
	action := ""
	for _, t := range spec.list("tasks") {
		if action == "" && t.text("name") == task {
			action = evictionAction(t)
		}
	}
	if action == "" {
		action = evictionAction(spec)
	}
	switch action {
	case "RestartJob", "RestartTask", "RestartPartition", "RestartPod":
		d.Together = action == "RestartJob"
		used, most, more := integerOr(root.object("status").integer("retryCount"), 0), integerOr(spec.integer("maxRetry"), 3), int64(1)
		if action == "RestartPod" {
			more = int64(len(pods))
		}
		if used+more >= most {
			d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when its pods are evicted: %s counts as %d, it has restarted %d times, and fails with the %dth by its maxRetry", o, action, more, used, most)
			return d
		}
		d.Action, d.Code, d.Text = Evict, RestartsLeft, fmt.Sprintf("%s restarts what is evicted: it has done so %d times, and fails with the %dth", o, used, most)
	case "AbortJob", "TerminateJob", "CompleteJob":
		d.Together = true
		d.Code, d.Text = OwnerFails, fmt.Sprintf("%s ends for good when pods of its task %q are evicted: a policy says %s", o, clip(task), action)
	default:
		d.Action, d.Code, d.Text = Evict, PodsAreReplaced, fmt.Sprintf("%s makes every pod again that it loses", o)
	}
	return d
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
