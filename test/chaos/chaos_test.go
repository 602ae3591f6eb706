package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// seed returns the seed of a test, and says it.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano() % 1_000_000_000)
	}
	t.Logf("seed %d: to play it again, go test ./test/chaos -run '^%s$' -v -chaos.seed=%d", s, t.Name(), s)
	return s
}

// One answer in ten is lost after it was stored, and the watch is seconds late: what is
// bound is not known from either. No room is given out twice.
func TestLostAnswers(t *testing.T) {
	first := seed(t)
	e := start(t, first, 1)
	e.proxy.Set(Faults{Lose: 0.1, WatchDelay: 2 * time.Second})
	var took []time.Duration
	for i := range *roundsFlag {
		s := first + uint64(i)
		r := e.play(t, fmt.Sprintf("l%d", i), s, func(context.Context, func() int) {})
		r.tell(t, "lost answers", s)
		took = append(took, r.took)
		t.Logf("round %d of %d: %d pods in %s; faults so far %v", i+1, *roundsFlag, r.pods, r.took.Round(time.Millisecond), e.proxy.Counts())
	}
	if e.proxy.Counts()["lost"] == 0 {
		t.Error("no answer was lost: the test shows nothing")
	}
	t.Logf("%d rounds: p50 %s, p99 %s", len(took), quantile(took, 0.5), quantile(took, 0.99))
}

// requestFaults are the faults of requests that TestChaos draws from.
func requestFaults() map[string]Faults {
	return map[string]Faults{
		"lost answers":  {Lose: 0.1, WatchDelay: 2 * time.Second},
		"lost requests": {Drop: 0.1},
		"late requests": {Late: 0.1, LateBy: time.Second, WatchDelay: time.Second},
		"throttled":     {Throttle: 0.2},
		"failing":       {Fail: 0.2},
		"slow":          {Latency: 50 * time.Millisecond},
		"late watches":  {WatchDelay: 3 * time.Second},
		"cut":           {Cut: 700 * time.Millisecond},
		"all":           {Lose: 0.04, Drop: 0.04, Late: 0.04, LateBy: time.Second, Throttle: 0.04, Fail: 0.04, Latency: 5 * time.Millisecond, WatchDelay: time.Second, Cut: 3 * time.Second},
	}
}

// faultNames are all faults, in the order in which TestChaos goes through them.
func faultNames() []string {
	return []string{"lost answers", "API server killed", "late requests", "leader killed", "all", "leader paused", "throttled", "lost requests", "cut", "failing", "slow", "late watches", "replicas killed"}
}

// withQueues is what the name of a fault ends with in rounds with queues.
const withQueues = ", with queues"

// Each fault in turn, until the time is over, with two replicas of Berth.
func TestChaos(t *testing.T) {
	first := seed(t)
	e := start(t, first, 2)
	recovery := map[string][]time.Duration{}
	queued, evicted := 0, 0
	begin := time.Now()
	for i := 0; i == 0 || time.Since(begin) < *durationFlag; i++ {
		s := first + uint64(i)
		name := faultNames()[s%uint64(len(faultNames()))]
		faults := e.processFault(t, name, rand.New(rand.NewPCG(s, 1)))
		if f, is := requestFaults()[name]; is {
			faults = func(ctx context.Context, bound func() int) {
				e.proxy.Set(f)
				// Until half of what the cluster holds was bound, or for a while.
				e.until(ctx, 5*time.Second, func() bool { return bound() > clusterGPUs()/4 })
				e.proxy.Set(Faults{})
			}
		}
		r := e.play(t, fmt.Sprintf("c%d", i), s, faults)
		with := ""
		if hasQueues(s) {
			name += withQueues
			queued++
			evicted += r.evicted
			with = fmt.Sprintf(", %d evicted", r.evicted)
		}
		r.tell(t, name, s)
		recovery[name] = append(recovery[name], r.recovery)
		fmt.Printf("%6s  round %d, seed %d: %s; %d pods in %s%s, all placed %s after the fault\n",
			time.Since(begin).Round(time.Second), i+1, s, name, r.pods, r.took.Round(time.Millisecond), with, r.recovery.Round(time.Millisecond))
	}
	for _, fault := range faultNames() {
		for _, name := range []string{fault, fault + withQueues} {
			if all := recovery[name]; len(all) > 0 {
				t.Logf("%-30s %3d rounds; all placed after the fault: p50 %s, p99 %s", name, len(all), quantile(all, 0.5), quantile(all, 0.99))
			}
		}
	}
	t.Logf("faults of requests: %v; pods evicted in %d rounds with queues: %d", e.proxy.Counts(), queued, evicted)
	if queued > 2 && evicted == 0 {
		t.Error("no pod was evicted: the rounds with queues show nothing of reclaim")
	}
}
