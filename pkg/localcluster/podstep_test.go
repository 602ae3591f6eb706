package localcluster

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStep(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	pod := func(phase v1.PodPhase, runFor string) *v1.Pod {
		p := &v1.Pod{Status: v1.PodStatus{Phase: phase}}
		if runFor != "" {
			p.Annotations = map[string]string{RunForAnnotation: runFor}
		}
		return p
	}
	deleted := func(p *v1.Pod, grace int64) *v1.Pod {
		p.DeletionTimestamp = &metav1.Time{Time: now}
		p.DeletionGracePeriodSeconds = &grace
		return p
	}
	tests := map[string]struct {
		pod     *v1.Pod
		started time.Duration // ago
		want    podStep
		after   time.Duration
	}{
		"bound":                       {pod: pod(v1.PodPending, ""), want: stepRun},
		"bound, for a while":          {pod: pod(v1.PodPending, "1m"), want: stepRun},
		"bound, unreadable":           {pod: pod(v1.PodPending, "soon"), want: stepFail},
		"bound, negative":             {pod: pod(v1.PodPending, "-1s"), want: stepFail},
		"runs for ever":               {pod: pod(v1.PodRunning, ""), started: time.Hour, want: stepNone},
		"runs":                        {pod: pod(v1.PodRunning, "1m"), started: 20 * time.Second, want: stepWait, after: 40 * time.Second},
		"its time is over":            {pod: pod(v1.PodRunning, "1m"), started: time.Minute, want: stepSucceed},
		"became unreadable":           {pod: pod(v1.PodRunning, "later"), want: stepFail},
		"succeeded":                   {pod: pod(v1.PodSucceeded, "1m"), started: time.Hour, want: stepNone},
		"failed":                      {pod: pod(v1.PodFailed, "soon"), want: stepNone},
		"deleted before it ran":       {pod: deleted(pod(v1.PodPending, ""), 30), want: stepRemove},
		"deleted while it ran":        {pod: deleted(pod(v1.PodRunning, "1m"), 30), want: stepRemove},
		"deleted, held by finalizers": {pod: deleted(pod(v1.PodRunning, ""), 0), want: stepNone},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, after := step(test.pod, now.Add(-test.started), now)
			if got != test.want || after != test.after {
				t.Errorf("got step %d after %s, want %d after %s", got, after, test.want, test.after)
			}
		})
	}
}

func TestReportsKeepOthersConditions(t *testing.T) {
	now := metav1.Now()
	pod := &v1.Pod{
		Spec:   v1.PodSpec{Containers: []v1.Container{{Name: "a"}, {Name: "b"}}},
		Status: v1.PodStatus{Conditions: []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionTrue}}},
	}
	setRunning(pod, now)
	setEnded(pod, v1.PodSucceeded, now)
	if len(pod.Status.Conditions) != 4 || pod.Status.Conditions[0].Type != v1.PodScheduled {
		t.Errorf("conditions are %v, want PodScheduled and three more", pod.Status.Conditions)
	}
	if len(pod.Status.ContainerStatuses) != 2 {
		t.Errorf("container statuses are %v, want two", pod.Status.ContainerStatuses)
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated == nil || s.State.Running != nil || s.Ready {
			t.Errorf("container status %v is not that of a container that ended", s)
		}
	}
}
