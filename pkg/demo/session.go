package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// namespace is where the workload goes.
	namespace = "demo"
	// The scheduler's service account, as manifests/base has it.
	accountNamespace, accountName = "berth-system", "berth"
	schedulerUser                 = "system:serviceaccount:" + accountNamespace + ":" + accountName
)

// Options of a demo.
type Options struct {
	Nodes   int
	Seed    uint64
	Timeout time.Duration // from the start of the clock until all must be bound
	// Log is told what is going on. If Terminal, its last line is rewritten in
	// place as the placing goes on.
	Log      io.Writer
	Terminal bool
}

// A Session is a cluster with a scheduler, and a workload for it.
type Session struct {
	options   Options
	workload  Workload
	cluster   *localcluster.Cluster
	scheduler *localcluster.Program
	// The scheduler's writes before the clock starts.
	writesBefore map[string]int
}

// Start starts the control plane, the nodes and the scheduler, and returns when
// the scheduler schedules. Stop ends them.
func Start(ctx context.Context, o Options) (*Session, error) {
	workload, err := Generate(o.Nodes, o.Seed)
	if err != nil {
		return nil, err
	}
	s := &Session{options: o, workload: workload}
	s.say("the workload of seed %d: %d gangs and %d single pods, %d pods in all",
		o.Seed, workload.Gangs(), len(workload.Submissions)-workload.Gangs(), len(workload.AllPods()))
	s.cluster, err = localcluster.Start(ctx, localcluster.Options{
		AuditLog:    true,
		Controllers: localcluster.Controllers(),
		Heartbeat:   localcluster.HeartbeatFor(o.Nodes),
		Progress:    func(sentence string) { s.say("%s", sentence) },
	})
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.cluster.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends all that Start started, and removes what it kept.
func (s *Session) Stop() { s.cluster.Stop() }

// Kubeconfig is the path of the administrator's kubeconfig.
func (s *Session) Kubeconfig() string { return s.cluster.Kubeconfig() }

// SchedulerLog is the path of the scheduler's log, until Stop.
func (s *Session) SchedulerLog() string { return s.scheduler.LogPath() }

// Wait returns nil when ctx ends, and an error if the control plane ends first.
func (s *Session) Wait(ctx context.Context) error { return s.cluster.Wait(ctx) }

func (s *Session) say(format string, args ...any) {
	fmt.Fprintf(s.options.Log, format+"\n", args...)
}

// errTimeout ends the placing when Options.Timeout has passed.
var errTimeout = errors.New("the timeout has passed")

// guard ends the placing when the scheduler or the control plane ends.
func (s *Session) guard(placing context.Context, cancel context.CancelCauseFunc) {
	go func() {
		if err := s.cluster.Wait(placing); err != nil {
			cancel(err)
		}
	}()
	select {
	case <-s.scheduler.Exited():
		cancel(s.scheduler.Failure())
	case <-placing.Done():
	}
}

// reasons are what some of the unbound pods are told of why they wait: one pod for
// each sentence, ten at most.
func reasons(pods []v1.Pod) []string {
	var said []string
	seen := map[string]bool{}
	for i := range pods {
		if pods[i].Spec.NodeName != "" || len(said) == 10 {
			continue
		}
		why := whyItWaits(&pods[i])
		if why == "" {
			why = "nothing is said of why"
		}
		if !seen[why] {
			seen[why] = true
			said = append(said, fmt.Sprintf("pod %s waits: %s", pods[i].Name, why))
		}
	}
	return said
}

// countWrites counts what the scheduler wrote since the clock started, once it
// writes no more: events and conditions come after the binds that they tell of.
func (s *Session) countWrites(ctx context.Context, r *Result) error {
	const (
		quiet    = time.Second
		patience = 10 * time.Second
	)
	var last map[string]int
	for begin := time.Now(); ; {
		writes, err := s.cluster.Writes(ctx, schedulerUser)
		if err != nil {
			return fmt.Errorf("counting the scheduler's writes: %w", err)
		}
		if maps.Equal(last, writes) || time.Since(begin) > patience {
			break
		}
		last = writes
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
	r.Writes = map[string]int{}
	for what, n := range last {
		if n -= s.writesBefore[what]; n > 0 {
			r.Writes[what] = n
		}
	}
	return nil
}
