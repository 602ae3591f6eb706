package suspension

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/dialect"
)

// A Job is resumed once its pods are gone, and does not wait for ever for those whose kubelets
// do not answer.
func TestResumes(t *testing.T) {
	start := time.Unix(1700000000, 0)
	yes, grace := true, 30*time.Second
	pod := func(name string, leaving bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "j", UID: "job", Controller: &yes}}}}
		if leaving {
			p.DeletionTimestamp = &metav1.Time{Time: start.Add(grace)}
		}
		return p
	}
	for _, c := range []struct {
		name string
		pods []*corev1.Pod
		// gone are those that go at once, and after is when it is looked.
		gone    []string
		after   time.Duration
		resumes bool
	}{
		{"all are gone", []*corev1.Pod{pod("a", true), pod("b", true)}, []string{"a", "b"}, 0, true},
		{"one leaves in its grace period", []*corev1.Pod{pod("a", true), pod("b", true)}, []string{"a"}, 20 * time.Second, false},
		{"one has just left its grace period", []*corev1.Pod{pod("a", true), pod("b", true)}, []string{"a"}, grace + 20*time.Second, false},
		{"the kubelet of one does not answer", []*corev1.Pod{pod("a", true), pod("b", true)}, []string{"a"}, grace + unansweredAfter + time.Second, true},
		{"another is not deleted", []*corev1.Pod{pod("a", true), pod("b", false)}, nil, time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(start)
			owner := dialect.OwnerRef{APIVersion: "batch/v1", Kind: "Job", Namespace: "ns", Name: "j", UID: "job"}
			job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "j", UID: "job"}}
			job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}}
			raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(job)
			if err != nil {
				t.Fatal(err)
			}
			client := fake.NewSimpleDynamicClient(scheme.Scheme, &unstructured.Unstructured{Object: raw})
			pods := c.pods
			s := New(client, nil, func() []*corev1.Pod { return pods }, clock, func() {})
			if err := s.Suspend(t.Context(), owner, "ns/claimant"); err != nil {
				t.Fatal(err)
			}
			left := map[types.UID]bool{}
			for _, name := range c.gone {
				left[types.UID(name)] = true
			}
			pods = nil
			for _, p := range c.pods {
				if !left[p.UID] {
					pods = append(pods, p)
				}
			}
			for uid := range left {
				s.Gone(uid)
			}
			clock.SetTime(start.Add(c.after))
			s.look()
			for s.queue.Len() > 0 {
				k, _ := s.queue.Get()
				if err := s.finish(t.Context(), k); err != nil {
					t.Fatal(err)
				}
				s.queue.Done(k)
			}
			resource, _ := owner.Readable()
			now, err := client.Resource(resource).Namespace("ns").Get(t.Context(), "j", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			suspended, _, err := unstructured.NestedBool(now.Object, "spec", "suspend")
			if err != nil {
				t.Fatal(err)
			}
			if suspended == c.resumes {
				t.Errorf("suspended: %t", suspended)
			}
			if mark := now.GetLabels()[Label]; (mark == "") != c.resumes {
				t.Errorf("the mark is %q", mark)
			}
		})
	}
}
