package binder

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

var errTaken = apierrors.NewConflict(schema.GroupResource{Resource: "pods/binding"}, "p", errors.New(`pod p is already assigned to node "n"`))

// podServer answers binds and reads of one pod as a script says.
type podServer struct {
	typedcorev1.PodInterface
	// answers are those to the binds, the last one for all that follow; stored[i] says
	// that the ith is stored, after a delay.
	answers []error
	stored  map[int]time.Duration

	// mu is for the pod: what is stored late is stored by another goroutine.
	mu    *sync.Mutex
	pod   *corev1.Pod
	binds int
	// deaf is how many reads fail.
	deaf int
}

func (s *podServer) Bind(_ context.Context, binding *corev1.Binding, _ metav1.CreateOptions) error {
	i := s.binds
	s.binds++
	if delay, is := s.stored[i]; is {
		time.AfterFunc(delay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.pod != nil && s.pod.Spec.NodeName == "" && s.pod.DeletionTimestamp == nil {
				s.pod.Spec.NodeName = binding.Target.Name
			}
		})
		time.Sleep(time.Nanosecond)
	}
	return s.answers[min(i, len(s.answers)-1)]
}

func (s *podServer) Get(context.Context, string, metav1.GetOptions) (*corev1.Pod, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf > 0 {
		s.deaf--
		return nil, enginetest.ErrLost
	}
	if s.pod == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "p")
	}
	return s.pod.DeepCopy(), nil
}

// A bind fails only if the pod is not bound, and will not be.
func TestBindWithLostAnswers(t *testing.T) {
	leaving := enginetest.PodOn("u", "")
	leaving.DeletionTimestamp = &metav1.Time{}
	for _, c := range []struct {
		name   string
		server podServer
		bound  bool
		// binds are how many requests are sent, within how long the answer is there.
		binds  int
		within time.Duration
	}{
		{"stored and answered", podServer{answers: []error{nil}, stored: map[int]time.Duration{0: 0}, pod: enginetest.PodOn("u", "")}, true, 1, time.Millisecond},
		{"refused", podServer{answers: []error{enginetest.ErrRefused}, pod: enginetest.PodOn("u", "")}, false, 1, time.Millisecond},
		{"stored, answer lost", podServer{answers: []error{enginetest.ErrLost}, stored: map[int]time.Duration{0: 0}, pod: enginetest.PodOn("u", "")}, true, 1, time.Second},
		{"stored, answer 500", podServer{answers: []error{enginetest.ErrBroken}, stored: map[int]time.Duration{0: 0}, pod: enginetest.PodOn("u", "")}, true, 1, time.Second},
		{"stored, and a retry of the client conflicts", podServer{answers: []error{errTaken}, pod: enginetest.PodOn("u", "n")}, true, 1, time.Millisecond},
		{"lost before it was stored", podServer{answers: []error{enginetest.ErrLost, nil}, stored: map[int]time.Duration{1: 0}, pod: enginetest.PodOn("u", "")}, true, 2, time.Second},
		{"reads fail for long", podServer{answers: []error{enginetest.ErrLost}, stored: map[int]time.Duration{0: 0}, pod: enginetest.PodOn("u", ""), deaf: 20}, true, 1, 100 * time.Second},
		{"the first is stored late, the second refused", podServer{answers: []error{enginetest.ErrLost, enginetest.ErrRefused}, stored: map[int]time.Duration{0: 40 * time.Second}, pod: enginetest.PodOn("u", "")}, true, 0, 60 * time.Second},
		{"never stored, refused later", podServer{answers: []error{enginetest.ErrLost, enginetest.ErrRefused}, pod: enginetest.PodOn("u", "")}, false, 0, requestHorizon + 2*settleMost},
		{"broken for ever", podServer{answers: []error{enginetest.ErrBroken}, pod: enginetest.PodOn("u", "")}, false, 0, requestHorizon + resendPeriod + 2*settleMost},
		{"bound elsewhere", podServer{answers: []error{errTaken}, pod: enginetest.PodOn("u", "other")}, false, 1, time.Millisecond},
		{"lost, and bound elsewhere", podServer{answers: []error{enginetest.ErrLost}, pod: enginetest.PodOn("u", "other")}, false, 1, time.Second},
		{"replaced", podServer{answers: []error{enginetest.ErrLost}, pod: enginetest.PodOn("v", "n")}, false, 1, time.Second},
		{"gone", podServer{answers: []error{enginetest.ErrLost}}, false, 1, time.Second},
		{"leaving", podServer{answers: []error{enginetest.ErrLost}, pod: leaving}, false, 1, time.Second},
		{"gated", podServer{answers: []error{errTaken}, pod: enginetest.PodOn("u", "")}, false, 1, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.server.mu = &sync.Mutex{}
				begin := time.Now()
				binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}, Target: corev1.ObjectReference{Name: "n"}}
				err := New(nil).Bind(t.Context(), &c.server, binding, metav1.CreateOptions{})
				if (err == nil) != c.bound {
					t.Errorf("got %v; bound should be %t", err, c.bound)
				}
				if took := time.Since(begin); took > c.within {
					t.Errorf("took %s, want at most %s", took, c.within)
				}
				if c.binds > 0 && c.server.binds != c.binds {
					t.Errorf("%d requests, want %d", c.server.binds, c.binds)
				}
				// What has failed stays unbound, whatever was under way.
				time.Sleep(time.Hour)
				c.server.mu.Lock()
				defer c.server.mu.Unlock()
				if p := c.server.pod; err != nil && p != nil && p.UID == "u" && p.Spec.NodeName == "n" {
					t.Error("the pod is bound after all")
				}
			})
		})
	}
}

func TestInDoubt(t *testing.T) {
	resource := schema.GroupResource{Resource: "pods"}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, true},
		{context.DeadlineExceeded, true},
		{enginetest.ErrBroken, true},
		{apierrors.NewServerTimeout(resource, "create", 1), true},
		{apierrors.NewTimeoutError("late", 1), true},
		{apierrors.NewServiceUnavailable("down"), true},
		{apierrors.NewGenericServerResponse(http.StatusBadGateway, "create", resource, "p", "", 0, true), true},
		{apierrors.NewTooManyRequests("later", 1), false},
		{enginetest.ErrRefused, false},
		{errTaken, false},
		{apierrors.NewNotFound(resource, "p"), false},
		{apierrors.NewBadRequest("what?"), false},
	} {
		if got := InDoubt(c.err); got != c.want {
			t.Errorf("%v: %t, want %t", c.err, got, c.want)
		}
	}
}
