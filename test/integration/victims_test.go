package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/departures"
)

// ignoresDisruptions has a Job not count evicted pods.
func ignoresDisruptions(job *batchv1.Job) {
	job.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action:          batchv1.PodFailurePolicyActionIgnore,
		OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
	}}}
}

// runningOf returns the UIDs of the pods of a Job that have a node and stay, and fails the test
// if the Job has failed.
func (e *environment) runningOf(ctx context.Context, t *testing.T, namespace, job string) (map[types.UID]bool, error) {
	t.Helper()
	got, err := e.client.BatchV1().Jobs(namespace).Get(ctx, job, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range got.Status.Conditions {
		if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
			t.Fatalf("Job %q has failed: %s", job, c.Message)
		}
	}
	pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil {
		return nil, err
	}
	out := map[types.UID]bool{}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Spec.NodeName != "" && p.DeletionTimestamp == nil {
			out[p.UID] = true
		}
	}
	return out, nil
}

// A Job that would fail for good is told so, and keeps its place: one that began before it,
// and has more to lose, goes for those that are entitled, for it comes again.
func TestWhatWouldNotSurviveGoesLast(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.grant(t, manifests.Owners)
	const half = nodes / 2
	e.queue(t, "owner", fmt.Sprintf(`{namespaces: [%s], resources: [{name: nvidia.com/gpu, guaranteed: %d, weight: 0}]}`, ns, half*nodeGPUs))
	e.queue(t, "borrower", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	e.scheduler(t)
	hardy := e.frailJobWith(t, ns, "hardy", half, ignoresDisruptions, inQueue("borrower"))
	eventually(t, "the first Job runs", func(ctx context.Context) error {
		running, err := e.runningOf(ctx, t, ns, hardy.Name)
		if err == nil && len(running) != half {
			err = fmt.Errorf("%d pods run", len(running))
		}
		return err
	})
	frail := e.frailJob(t, ns, "frail", half, inQueue("borrower"))
	var before map[types.UID]bool
	eventually(t, "the second Job runs, and is told that it would not survive", func(ctx context.Context) error {
		var err error
		if before, err = e.runningOf(ctx, t, ns, frail.Name); err == nil && len(before) != half {
			err = fmt.Errorf("%d pods run", len(before))
		}
		if err != nil {
			return err
		}
		events, err := e.client.EventsV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + departures.Reason})
		if err != nil {
			return err
		}
		if len(events.Items) != 1 {
			return fmt.Errorf("there are %d events", len(events.Items))
		}
		one := &events.Items[0]
		if one.Regarding.UID != frail.UID || !strings.Contains(one.Note, "podFailurePolicy") || !strings.Contains(one.Note, "kubectl apply -k manifests/suspend") {
			t.Fatalf("the event is %+v", one)
		}
		t.Log(one.Note)
		return nil
	})
	e.create(t, ns, gangOf("owner", half, nodeGPUs, inQueue("owner"), ours("owner", half))...)
	e.expectByQueue(t, ns, map[string]int{"owner": half, "borrower": half})
	after, err := e.runningOf(t.Context(), t, ns, frail.Name)
	if err != nil {
		t.Fatal(err)
	}
	for uid := range before {
		if !after[uid] {
			t.Fatal("a pod of the Job that would not survive it has gone")
		}
	}
	if _, err := e.runningOf(t.Context(), t, ns, hardy.Name); err != nil {
		t.Fatal(err)
	}
}

// Gangs that ask for it are told before they go. The scheduler dies meanwhile, and the next
// one goes on with the same gang; it goes once it says that it has saved its work.
func TestVictimsSaveTheirWork(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "owner", fmt.Sprintf(`{namespaces: [%s], resources: [{name: nvidia.com/gpu, guaranteed: %d, weight: 0}]}`, ns, 4*nodeGPUs))
	e.queue(t, "borrower", `{preemption: {graceBeforeReclaim: 1h}, resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	first := e.scheduler(t)
	for i := range nodes / 4 {
		name := fmt.Sprintf("borrower-%02d", i)
		e.create(t, ns, gangOf(name, 4, nodeGPUs, inQueue("borrower"), ours(name, 4), annotations(dialect.CheckpointSignal, "true"))...)
	}
	e.expectByQueue(t, ns, map[string]int{"borrower": nodes})
	// Instants have whole seconds: one that a pod says counts from the second after its start.
	started := time.Now()
	eventually(t, "all have run for a while", func(context.Context) error {
		if time.Since(started) < 2*time.Second {
			return fmt.Errorf("for %s", time.Since(started))
		}
		return nil
	})
	e.create(t, ns, gangOf("owner", 4, nodeGPUs, inQueue("owner"), ours("owner", 4))...)
	told := func(ctx context.Context) (map[string]string, error) {
		pods, err := e.client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "berth.dev/queue=borrower"})
		if err != nil {
			return nil, err
		}
		out := map[string]string{}
		for i := range pods.Items {
			if at := pods.Items[i].Annotations[dialect.CheckpointRequestedAt]; at != "" {
				out[pods.Items[i].Name] = at
			}
		}
		if len(pods.Items) != nodes {
			t.Fatalf("%d pods are left of %d: somebody went who was not asked, or has not saved", len(pods.Items), nodes)
		}
		return out, nil
	}
	var before map[string]string
	eventually(t, "a gang is told to save its work", func(ctx context.Context) (err error) {
		if before, err = told(ctx); err == nil && len(before) != 4 {
			err = fmt.Errorf("%d pods are told", len(before))
		}
		return err
	})
	first.Kill()
	e.scheduler(t)
	never(t, "others were told, or the same anew", 8*time.Second, func(ctx context.Context) (bool, error) {
		now, err := told(ctx)
		return err == nil && fmt.Sprint(now) != fmt.Sprint(before), err
	})
	for name := range before {
		body := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, dialect.CheckpointedAt, time.Now().Format(time.RFC3339))
		if _, err := e.client.CoreV1().Pods(ns).Patch(t.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	e.expectByQueue(t, ns, map[string]int{"owner": 4, "borrower": nodes - 4})
	left, err := e.gangsLeft(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	for name := range before {
		if gang := name[:strings.LastIndex(name, "-")]; left[gang] != 0 {
			t.Errorf("pod %q was told and its gang stays: %v", name, left)
		}
	}
}
