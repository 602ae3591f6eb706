package binder

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

// lock is a lease that is renewed or not.
type lock struct {
	resourcelock.Interface
	err error
}

func (l *lock) Identity() string                                                { return "me" }
func (l *lock) Update(context.Context, resourcelock.LeaderElectionRecord) error { return l.err }

// sent keeps the last request.
type sent struct{ last *http.Request }

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.last = r
	return &http.Response{StatusCode: http.StatusCreated, Body: http.NoBody}, nil
}

// A leader binds only while its lease is young, and each bind is decided before another
// may lead.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := &lock{}
		election := &leaderelection.LeaderElectionConfig{Lock: lease, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second}
		f := NewFence(election)
		below := &sent{}
		transport := &fencedTransport{below, f}
		bind := func() bool {
			below.last = nil
			_, err := transport.RoundTrip(httptest.NewRequest(http.MethodPost, "https://server/api/v1/namespaces/ns/pods/p/binding", http.NoBody))
			if err != nil && !errors.Is(err, errFenced) || (err == nil) != (below.last != nil) {
				t.Fatalf("got %v", err)
			}
			return err == nil
		}
		renew := func(holder string) {
			_ = election.Lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: holder})
		}
		if bind() {
			t.Error("it binds before it leads")
		}
		renew("me")
		if !bind() {
			t.Error("it does not bind though it leads")
		}
		if got := below.last.URL.Query().Get("timeout"); got != "5s" {
			t.Errorf("the server may take %q, want 5s", got)
		}
		time.Sleep(9 * time.Second)
		lease.err = enginetest.ErrLost
		renew("me")
		if !bind() {
			t.Error("it does not bind within its deadline")
		}
		time.Sleep(time.Second)
		if bind() {
			t.Error("it binds after its deadline")
		}
		lease.err = nil
		renew("") // it gives the lease up
		if bind() {
			t.Error("it binds though it gave up")
		}
		if _, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "https://server/api/v1/pods", http.NoBody)); err != nil {
			t.Errorf("reads are fenced: %v", err)
		}
	})
}

// A new leader begins once it knows of all that was bound before.
func TestTakeoverWaitsForTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bound := func(name, node string) *corev1.Pod {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)}}
			p.Spec.NodeName, p.Spec.SchedulerName = node, "berth"
			return p
		}
		server := fake.NewClientset(bound("a", "n"), bound("b", "m"))
		var known sync.Map
		known.Store(types.UID("uid-a"), "n")
		time.AfterFunc(3*time.Second, func() { known.Store(types.UID("uid-b"), "m") })
		holder := func(pod *corev1.Pod) string {
			node, _ := known.Load(pod.UID)
			name, _ := node.(string)
			return name
		}
		begin := time.Now()
		(&Takeover{client: server, schedulers: []string{"berth"}, Holder: holder, period: takeoverPeriod}).Wait(t.Context())
		if took := time.Since(begin); took < 3*time.Second || took > 3*time.Second+takeoverPeriod {
			t.Errorf("it began after %s, want 3s", took)
		}
	})
}
