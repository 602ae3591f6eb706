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
// pods are made anew. RestartJob counts against maxRetry, 3 if unsaid (Volcano 1.15.1:
// pkg/controllers/job/state).
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
	case "RestartJob":
		d.Together = true
		used, most := integerOr(root.object("status").integer("retryCount"), 0), integerOr(spec.integer("maxRetry"), 3)
		if used >= most {
			d.Code, d.Text = RetriesUsed, fmt.Sprintf("%s ends for good when its pods are evicted: it has restarted %d times, and its maxRetry is %d", o, used, most)
			return d
		}
		d.Action, d.Code, d.Text = Evict, RestartsLeft, fmt.Sprintf("%s restarts when its pods are evicted: it has done so %d times of %d", o, used, most)
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
