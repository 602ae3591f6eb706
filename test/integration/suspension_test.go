package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/suspension"
)

// suspender returns a suspender with an informer of its own; it resumes once run.
func (e *environment) suspender(t *testing.T) *suspension.Suspender {
	t.Helper()
	factory := informers.NewSharedInformerFactory(e.client, 0)
	pods := factory.Core().V1().Pods().Informer()
	s := suspension.New(e.dynamic, e.client, func() []*corev1.Pod {
		var all []*corev1.Pod
		for _, obj := range pods.GetStore().List() {
			all = append(all, obj.(*corev1.Pod))
		}
		return all
	}, clock.RealClock{}, func() {})
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		s.Gone(obj.(*corev1.Pod).UID)
	}}); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return s
}

// runSuspender resumes what the suspender suspends, until the returned function is called.
func runSuspender(t *testing.T, s *suspension.Suspender) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// frailJob makes a Job of a gang that no failed pod is forgiven.
func (e *environment) frailJob(t *testing.T, namespace, name string, size int32, changes ...func(*corev1.Pod)) *batchv1.Job {
	t.Helper()
	return e.frailJobWith(t, namespace, name, size, func(*batchv1.Job) {}, changes...)
}

// frailJobWith is frailJob with a change to the Job.
func (e *environment) frailJobWith(t *testing.T, namespace, name string, size int32, change func(*batchv1.Job), changes ...func(*corev1.Pod)) *batchv1.Job {
	t.Helper()
	indexed, none := batchv1.IndexedCompletion, int32(0)
	template := pod("", nodeGPUs, append(changes, annotations("berth.dev/gang-size", fmt.Sprint(size)))...)
	made := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			Completions: &size, Parallelism: &size, CompletionMode: &indexed, BackoffLimit: &none,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations}, Spec: template.Spec},
		},
	}
	change(made)
	job, err := e.client.BatchV1().Jobs(namespace).Create(t.Context(), made, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		_ = e.client.BatchV1().Jobs(namespace).Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	})
	return job
}

// expectRuns waits until a Job runs whole, in pods that are none of those before, without the
// mark, and checks that it counts no failure. It returns its pods.
func (e *environment) expectRuns(t *testing.T, job *batchv1.Job, before []*corev1.Pod) []*corev1.Pod {
	t.Helper()
	old := map[string]bool{}
	for _, p := range before {
		old[p.Name] = true
	}
	var out []*corev1.Pod
	eventually(t, "the Job runs whole", func(ctx context.Context) error {
		got, err := e.client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range got.Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue || got.Status.Failed > 0 {
				t.Fatalf("the Job failed: %+v", got.Status)
			}
		}
		if got.Labels[suspension.Label] != "" || got.Annotations[suspension.Annotation] != "" || *got.Spec.Suspend {
			return fmt.Errorf("it is suspended, or has the mark: %v %v", got.Labels, got.Annotations)
		}
		pods, err := e.client.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job.Name})
		if err != nil {
			return err
		}
		out = nil
		for i := range pods.Items {
			if p := &pods.Items[i]; p.Spec.NodeName != "" && p.DeletionTimestamp == nil && !old[p.Name] {
				out = append(out, p)
			}
		}
		if len(out) != int(*job.Spec.Parallelism) {
			return fmt.Errorf("%d new pods have a node", len(out))
		}
		return nil
	})
	return out
}

// maySuspend gives Berth the rights of manifests/suspend.
func (e *environment) maySuspend(t *testing.T) {
	t.Helper()
	e.grant(t, manifests.Suspend)
}

// grant gives Berth optional rights, until the test ends.
func (e *environment) grant(t *testing.T, render func() ([]*unstructured.Unstructured, error)) {
	t.Helper()
	objects, err := render()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CreateObjects(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, o := range objects {
			resource := rbacv1.SchemeGroupVersion.WithResource(strings.ToLower(o.GetKind()) + "s")
			if err := e.dynamic.Resource(resource).Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Errorf("taking back the right %q: %v", o.GetName(), err)
			}
		}
	})
}

// departure returns how all pods of a Job leave, and expects that it is in one way.
func departure(t *testing.T, s *suspension.Suspender, pods []*corev1.Pod) dialect.Departure {
	t.Helper()
	all, err := s.Departures(t.Context(), pods)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v; want one departure", all, err)
	}
	return all[0]
}

// A Job that no failed pod is forgiven is suspended and resumed as often as one likes; the
// last times its suspender is gone before it is resumed, and the next one resumes it.
func TestSuspendedJobComesAgain(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.scheduler(t)
	job := e.frailJob(t, ns, "train", 8)
	pods := e.expectRuns(t, job, nil)
	s := e.suspender(t)
	stop := runSuspender(t, s)
	for i := range 5 {
		if i == 3 {
			stop()
		}
		d := departure(t, s, pods)
		if d.Action != dialect.Suspend {
			t.Fatalf("the Job leaves by %s: %s", d.Action, d.Text)
		}
		if affected, err := s.Affected(t.Context(), d.Owner); err != nil || len(affected) != 8 {
			t.Fatalf("suspending %s affects %d pods, %v", d.Owner, len(affected), err)
		}
		// The Job controller writes the status meanwhile.
		if err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return s.Suspend(t.Context(), d.Owner, ns+"/claimant") }); err != nil {
			t.Fatal(err)
		}
		if i >= 3 {
			s = e.suspender(t)
			stop = runSuspender(t, s)
		}
		pods = e.expectRuns(t, job, pods)
		if i >= 3 {
			stop()
		}
	}
}

// What a user suspended is not resumed, nor what a user took the mark off.
func TestSuspendedByUser(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.scheduler(t)
	job := e.frailJob(t, ns, "train", 2)
	other := e.frailJob(t, ns, "other", 2)
	s := e.suspender(t)
	owner := departure(t, s, e.expectRuns(t, job, nil)).Owner
	patch := func(body string) {
		t.Helper()
		if _, err := e.client.BatchV1().Jobs(ns).Patch(t.Context(), "train", "application/merge-patch+json", []byte(body), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"spec":{"suspend":true}}`)
	if err := s.Suspend(t.Context(), owner, "ns/claimant"); !errors.Is(err, suspension.ErrNotOurs) {
		t.Fatalf("got %v, want ErrNotOurs", err)
	}
	patch(`{"spec":{"suspend":false}}`)
	if err := s.Suspend(t.Context(), owner, "ns/claimant"); err != nil {
		t.Fatal(err)
	}
	patch(`{"metadata":{"labels":{"berth.dev/suspended":null}}}`)
	// The other one, suspended after it, is resumed; this one is not.
	before := e.expectRuns(t, other, nil)
	if err := s.Suspend(t.Context(), departure(t, s, before).Owner, "ns/claimant"); err != nil {
		t.Fatal(err)
	}
	runSuspender(t, s)
	e.expectRuns(t, other, before)
	got, err := e.client.BatchV1().Jobs(ns).Get(t.Context(), "train", metav1.GetOptions{})
	if err != nil || !*got.Spec.Suspend {
		t.Errorf("got %v, %v; want a suspended Job", got.Spec.Suspend, err)
	}
}

// A scheduler that is killed between the two leaves a suspended Job; the next one, with the
// rights of manifests/suspend and no more, resumes and places it.
func TestSuspendedByADeadLeader(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.maySuspend(t)
	first := e.scheduler(t)
	job := e.frailJob(t, ns, "train", 4)
	before := e.expectRuns(t, job, nil)
	first.Kill()
	s := e.suspender(t) // does not run: it dies, as it were
	if err := s.Suspend(t.Context(), departure(t, s, before).Owner, ns+"/claimant"); err != nil {
		t.Fatal(err)
	}
	e.scheduler(t)
	e.expectRuns(t, job, before)
}

// Jobs that no failed pod is forgiven fill the cluster, and a gang that is entitled to half of
// it comes five times. Each time one of them is suspended, and comes again when there is room:
// none ever fails.
func TestReclaimedJobsComeAgain(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.maySuspend(t)
	const half = nodes / 2
	e.queue(t, "owner", fmt.Sprintf(`{namespaces: [%s], resources: [{name: nvidia.com/gpu, guaranteed: %d, weight: 0}]}`, ns, half*nodeGPUs))
	e.queue(t, "borrower", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	e.scheduler(t)
	jobs := []*batchv1.Job{e.frailJob(t, ns, "one", half, inQueue("borrower")), e.frailJob(t, ns, "two", half, inQueue("borrower"))}
	for _, job := range jobs {
		e.expectRuns(t, job, nil)
	}
	for range 5 {
		gang := gangOf("owner", half, nodeGPUs, inQueue("owner"), ours("owner", half))
		e.create(t, ns, gang...)
		e.expectByQueue(t, ns, map[string]int{"owner": half, "borrower": half})
		for _, p := range gang {
			if err := e.client.CoreV1().Pods(ns).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, job := range jobs {
			e.expectRuns(t, job, nil)
		}
	}
}
