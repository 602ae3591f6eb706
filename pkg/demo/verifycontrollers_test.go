package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// told is what a scheduler says of a pod that waits.
func told(reason, message string) func(*v1.Pod) {
	return func(pod *v1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, v1.PodCondition{Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: reason, Message: message})
	}
}

// What was evicted is there again and runs, or waits and is told why.
func TestReturn(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 4}
	single := Submission{Name: "s", Size: 1, GPUs: 4}
	w := Workload{Submissions: []Submission{gang, single}, Order: []int{0, 1}}
	waits := told("QueueAtLimit", "its queue has no more")
	leaving := func(pod *v1.Pod) { pod.DeletionTimestamp = &metav1.Time{} }
	both := Evictions{Pods: []int{2, 1}}
	for _, test := range []struct {
		name    string
		evicted Evictions
		pods    []v1.Pod
		want    []string
	}{
		{"it runs again", both, []v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "b")}, nil},
		{"it waits and is told why", both, []v1.Pod{seat(gang, 0, "", waits), seat(gang, 1, "", waits), seat(single, 0, "", waits)}, nil},
		{"what was not evicted is none of its business", Evictions{Pods: []int{0, 0}}, nil, nil},
		{"it was not made again", both, []v1.Pod{seat(gang, 0, "", waits)},
			[]string{"g was evicted, and 1 of its 2 pods are there again", "s was evicted, and 0 of its 1 pods are there again"}},
		{"those that went are not there", both, []v1.Pod{
			seat(gang, 0, "a"), seat(gang, 1, "a", leaving), seat(gang, 1, "a", phase(v1.PodFailed)), seat(single, 0, "b")},
			[]string{"g was evicted, and 1 of its 2 pods are there again"}},
		{"it waits in silence", both, []v1.Pod{seat(gang, 0, "", waits), seat(gang, 1, ""), seat(single, 0, "", told("", ""))},
			[]string{"g was evicted and waits, and 1 of its 2 pods are not told why", "s was evicted and waits, and 1 of its 1 pods are not told why"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Verify(w, Moment{Due: []bool{false, false}, Evicted: test.evicted}, test.pods, []v1.Node{testNode("a"), testNode("b")})
			if diff := cmp.Diff(test.want, got.Lost); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := (Result{Figures: Figures{Reclaims: 1}, Verdict: Verdict{Lost: got.Lost}}).Err(); (err == nil) != (test.want == nil) {
				t.Errorf("the result is %v", err)
			}
		})
	}
}

func TestFailedJobs(t *testing.T) {
	job := func(name string, kind batchv1.JobConditionType, status v1.ConditionStatus) batchv1.Job {
		return batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{
			{Type: kind, Status: status, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"}}}}
	}
	got := failedJobs([]batchv1.Job{
		job("b", batchv1.JobFailed, v1.ConditionTrue), job("a", batchv1.JobFailed, v1.ConditionTrue),
		job("c", batchv1.JobFailed, v1.ConditionFalse), job("d", batchv1.JobComplete, v1.ConditionTrue), {},
	})
	want := []string{
		"job a failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
		"job b failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if (Result{Figures: Figures{Reclaims: 1}, Verdict: Verdict{FailedJobs: got}}).Err() == nil {
		t.Error("the result is not an error")
	}
}
