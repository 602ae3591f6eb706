package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// outage is how long the API server is down, and hang how long a leader is paused:
	// longer than its lease.
	outage = 2 * time.Second
	hang   = 7 * time.Second
)

// until waits until something is so, or the time is over.
func (e *environment) until(ctx context.Context, limit time.Duration, so func() bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// processFault returns a fault of a process, while pods are being bound; nil if none has
// that name.
func (e *environment) processFault(t *testing.T, name string, random *rand.Rand) func(ctx context.Context, bound func() int) {
	begun := func(ctx context.Context, bound func() int) {
		moment := 5 + random.IntN(clusterGPUs()/8)
		e.until(ctx, 20*time.Second, func() bool { return bound() >= moment })
	}
	switch name {
	case "API server killed":
		return func(ctx context.Context, bound func() int) {
			begun(ctx, bound)
			e.killAPIServer(ctx, t)
		}
	case "leader killed":
		return func(ctx context.Context, bound func() int) {
			begun(ctx, bound)
			e.needLeader(t).Kill()
		}
	case "leader paused":
		return func(ctx context.Context, bound func() int) {
			begun(ctx, bound)
			leader := e.needLeader(t)
			if err := leader.Pause(); err != nil {
				t.Errorf("pausing the leader: %v", err)
			}
			e.rest(ctx, hang)
			if err := leader.Resume(); err != nil {
				t.Errorf("resuming the leader: %v", err)
			}
		}
	case "replicas killed":
		return func(ctx context.Context, bound func() int) {
			begun(ctx, bound)
			e.mu.Lock()
			all := append(e.replicas[:0:0], e.replicas...)
			e.mu.Unlock()
			for _, p := range all {
				p.Kill()
			}
		}
	}
	return nil
}

// needLeader returns the replica that leads.
func (e *environment) needLeader(t *testing.T) *localcluster.Program {
	t.Helper()
	leader := e.leader()
	if leader == nil {
		t.Fatal("no replica leads though pods are bound: the fault shows nothing")
	}
	return leader
}

// killAPIServer kills the API server and starts it again.
func (e *environment) killAPIServer(ctx context.Context, t *testing.T) {
	e.restarted = true
	e.KillAPIServer()
	e.rest(ctx, outage)
	if err := e.RestartAPIServer(ctx); err != nil {
		t.Errorf("starting the API server again: %v", err)
	}
}

// rest lets a fault last.
func (e *environment) rest(ctx context.Context, d time.Duration) {
	e.until(ctx, d, func() bool { return false })
}

// The API server is killed while gangs of 24 are bound, once each time that they fill the
// cluster, of two. The watch comes back late, as it does from its backoff.
func TestAPIServerIsKilled(t *testing.T) {
	first := seed(t)
	e := start(t, first, 1)
	const size, kills = 24, 2
	gangs := 2 * clusterGPUs() / size
	var pods []*corev1.Pod
	for g := range gangs {
		for i := range size {
			pods = append(pods, member(fmt.Sprintf("k%d", g), i, size, 1, "3s"))
		}
	}
	e.proxy.Set(Faults{WatchDelay: 2 * time.Second})
	random := rand.New(rand.NewPCG(first, 2))
	r := e.playPods(t, "k", first, pods, nil, func(ctx context.Context, bound func() int) {
		for kill := range kills {
			moment := kill*clusterGPUs() + 10 + random.IntN(100)
			e.until(ctx, 40*time.Second, func() bool { return bound() >= moment })
			e.killAPIServer(ctx, t)
		}
	})
	r.tell(t, "API server killed", first)
	t.Logf("%d pods in %s, all placed %s after the last kill", r.pods, r.took.Round(time.Millisecond), r.recovery.Round(time.Millisecond))
}
