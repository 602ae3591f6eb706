package demo

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
)

// judgeReturn looks whether what was evicted came back. It did if all of its pods are there
// again, made by its controller, and each of them has a node, or waits and is told why.
func (v *Verdict) judgeReturn(w Workload, m Moment, pods []v1.Pod) {
	type count struct{ bound, told, silent int }
	counts := make([]count, len(w.Submissions))
	roster := w.roster()
	for i := range pods {
		pod := &pods[i]
		ref, ours := roster.ref(pod)
		if !ours || pod.DeletionTimestamp != nil || pod.Status.Phase == v1.PodFailed {
			continue
		}
		switch c := &counts[ref.Submission]; {
		case pod.Spec.NodeName != "":
			c.bound++
		case whyItWaits(pod) != "":
			c.told++
		default:
			c.silent++
		}
	}
	for i, s := range w.Submissions {
		c := counts[i]
		switch there := c.bound + c.told + c.silent; {
		case !m.evicted(i):
		case there < s.Size:
			v.Lost = append(v.Lost, fmt.Sprintf("%s was evicted, and %d of its %d pods are there again", s.Name, there, s.Size))
		case c.silent > 0:
			v.Lost = append(v.Lost, fmt.Sprintf("%s was evicted and waits, and %d of its %d pods are not told why", s.Name, c.silent, s.Size))
		}
	}
}

// whyItWaits is what a pod is told of why it has no node; "" if it is told nothing.
func whyItWaits(pod *v1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodScheduled && c.Status == v1.ConditionFalse && c.Reason != "" && c.Message != "" {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}

// failedJobs are sentences about the Jobs that have failed. A Job that has makes no pod any
// more.
func failedJobs(jobs []batchv1.Job) []string {
	var failed []string
	for i := range jobs {
		if c := jobCondition(&jobs[i], batchv1.JobFailed); c != nil {
			failed = append(failed, fmt.Sprintf("job %s failed: %s: %s", jobs[i].Name, c.Reason, c.Message))
		}
	}
	slices.Sort(failed)
	return failed
}

// jobCondition is a condition of a Job that holds; nil if it does not.
func jobCondition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == kind && c.Status == v1.ConditionTrue {
			return c
		}
	}
	return nil
}
