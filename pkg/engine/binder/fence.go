package binder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// A leader that was paused, or cut off, does not know yet that another leads. What it
// binds then, or what the server still has of it to store, goes to room that the other
// gives out. The fence is around both:
//
//	last renewal        + renew deadline     + bind limit      ≤ lease duration
//	the leader's clock    no bind is sent      none is stored     another may lead
//
// A bind is refused here once the lease was not renewed for the renew deadline, and the
// server is told to give up on each that takes longer than the rest of the lease. So when
// another leader begins, every bind is decided, and one read of the store has them all
// (takeover.go). What is left is a process that is paused between the look at its clock
// and the write that follows it.

// Fence knows until when this process may bind.
type Fence struct {
	// deadline is how long binds may be sent after a renewal, limit how long the server
	// may take for one.
	deadline, limit time.Duration
	now             func() time.Time

	mu      sync.Mutex
	renewed time.Time
}

// errFenced is why a bind is not sent.
var errFenced = errors.New("the lease was not renewed in time: another may lead")

// NewFence puts a fence around an election.
func NewFence(election *leaderelection.LeaderElectionConfig) *Fence {
	f := &Fence{deadline: election.RenewDeadline, limit: election.LeaseDuration - election.RenewDeadline, now: time.Now}
	election.Lock = &fencedLock{election.Lock, f}
	return f
}

// Client returns a client whose binds are fenced.
func (f *Fence) Client(config *restclient.Config) (kubernetes.Interface, error) {
	config = restclient.AddUserAgent(config, "scheduler")
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &fencedTransport{next, f} })
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the client of an elected leader: %w", err)
	}
	return client, nil
}

// renew notes that the lease was renewed by a request that was begun at a time.
func (f *Fence) renew(begun time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = begun
}

// open reports whether this process may bind. A machine that sleeps may stop the
// monotonic clock; the wall clock goes on.
func (f *Fence) open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	return !f.renewed.IsZero() && now.Sub(f.renewed) < f.deadline && now.Round(0).Sub(f.renewed.Round(0)) < f.deadline
}

// fencedLock tells a fence of each renewal.
type fencedLock struct {
	resourcelock.Interface
	fence *Fence
}

// Create makes the lease.
func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	begun := l.fence.now()
	return l.note(begun, record, l.Interface.Create(ctx, record))
}

// Update takes or renews the lease.
func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	begun := l.fence.now()
	return l.note(begun, record, l.Interface.Update(ctx, record))
}

func (l *fencedLock) note(begun time.Time, record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil && record.HolderIdentity == l.Identity() {
		l.fence.renew(begun)
	}
	return err
}

// fencedTransport sends no bind that might come after another's.
type fencedTransport struct {
	next  http.RoundTripper
	fence *Fence
}

// RoundTrip sends a request.
func (t *fencedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/binding") {
		return t.next.RoundTrip(r)
	}
	bounded := r.Clone(r.Context())
	query := bounded.URL.Query()
	query.Set("timeout", t.fence.limit.String())
	bounded.URL.RawQuery = query.Encode()
	if !t.fence.open() {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, errFenced
	}
	return t.next.RoundTrip(bounded)
}
