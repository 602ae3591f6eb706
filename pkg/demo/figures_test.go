package demo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i) // 1 to 100, not sorted
	}
	for _, test := range []struct {
		name    string
		values  []time.Duration
		percent int
		want    time.Duration
	}{
		{"of none", nil, 99, 0},
		{"of one", []time.Duration{7}, 50, 7},
		{"the lower of two", []time.Duration{9, 7}, 50, 7},
		{"the higher of two", []time.Duration{9, 7}, 51, 9},
		{"the middle of three", []time.Duration{3, 1, 2}, 50, 2},
		{"99 of 100", hundred, 99, 99},
		{"50 of 100", hundred, 50, 50},
		{"99 of 101", append([]time.Duration{101}, hundred...), 99, 100},
		{"100", hundred, 100, 100},
		{"0", hundred, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := percentile(test.values, test.percent); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestLatencies(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 8}
	half := Submission{Name: "h", Dialect: "berth", Size: 2, GPUs: 8}
	single := Submission{Name: "s", Size: 1, GPUs: 1}
	quick := Submission{Name: "q", Size: 1, GPUs: 1}
	w := Workload{
		Submissions: []Submission{gang, half, single, quick},
		Order:       []int{2, 0, 1, 3},
	}
	// The second pod of h was never created, and q was first seen when it was bound.
	created := []time.Time{at(2), at(0), at(10), at(1), {}, at(19)}
	bound := []time.Time{at(6), at(13), at(15), at(5), {}, at(19)}
	want := []time.Duration{4 * time.Second, 3 * time.Second, 5 * time.Second, 0}
	if diff := cmp.Diff(want, latencies(w, created, bound)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRate(t *testing.T) {
	for _, test := range []struct {
		n       int
		elapsed time.Duration
		want    float64
	}{{0, 0, 0}, {5, 0, 0}, {0, time.Second, 0}, {100, 3 * time.Second, 33.3}, {3, 2 * time.Second, 1.5}} {
		if got := rate(test.n, test.elapsed); got != test.want {
			t.Errorf("rate(%d, %s) = %v, want %v", test.n, test.elapsed, got, test.want)
		}
	}
}

// Scripts read this line: its keys and their order stay.
func TestFiguresJSON(t *testing.T) {
	got, err := Figures{Nodes: 1, Gangs: 2, Pods: 3, Bound: 4, PartialGangs: 5, DoubleBookedGPUs: 6, OversubscribedNodes: 7,
		PodsPerSecond: 8.5, P50: 9, P99: 10, SchedulerCPUSeconds: 11.25, APIWritesByScheduler: 12, Failed: 13, GangsInOneRack: 14, TopologyViolations: 15,
		QueueViolations: 16, Reclaims: 17, EvictedGangs: 18, PartialEvictions: 19,
		Jobs: 20, Deployments: 21, PodsCreatedSeconds: 22.5, PodsMadeAgain: 23, LostGangs: 24, FailedJobs: 25}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"nodes":1,"gangs":2,"pods":3,"bound":4,"partial_gangs":5,"double_booked_gpus":6,"oversubscribed_nodes":7,` +
		`"pods_per_second":8.5,"p50_ms":9,"p99_ms":10,"scheduler_cpu_seconds":11.25,"api_writes_by_scheduler":12,"failed":13,` +
		`"gangs_in_one_rack":14,"topology_violations":15,"queue_violations":16,"reclaims":17,"evicted_gangs":18,"partial_evictions":19,` +
		`"jobs":20,"deployments":21,"pods_created_seconds":22.5,"pods_made_again":23,"lost_gangs":24,"failed_jobs":25}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestResultErr(t *testing.T) {
	for _, test := range []struct {
		name   string
		result Result
		want   string // "" for no error
	}{
		{"well", Result{Figures: Figures{Pods: 3, Bound: 3, Reclaims: 1}}, ""},
		{"nothing reclaimed", Result{Figures: Figures{Pods: 3, Bound: 3}}, "nothing was evicted for what came late"},
		{"evicted in part", Result{Figures: Figures{Reclaims: 1, PartialEvictions: 1}}, "1 gang was evicted in part"},
		{"a queue without its due", Result{Figures: Figures{Reclaims: 1}, Verdict: Verdict{QueueViolations: []string{"queue a has 1 GPUs, and its limit is 0"}}}, "queue a has 1 GPUs, and its limit is 0"},
		{"partial", Result{Figures: Figures{PartialGangs: 1}}, "1 gang is bound by half"},
		{"double-booked", Result{Figures: Figures{DoubleBookedGPUs: 2}}, "2 GPUs are double-booked"},
		{"oversubscribed", Result{Figures: Figures{OversubscribedNodes: 2}}, "2 nodes are oversubscribed"},
		{"unbound", Result{Figures: Figures{Failed: 9}}, "9 pods that should be bound are not"},
		{"out of a domain", Result{Figures: Figures{TopologyViolations: 1}}, "1 gang is not in one domain of the level that it requires"},
		{"stopped", Result{Stopped: errors.New("berth ended")}, "berth ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.result.Err()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

// What Verify finds is counted, each in its figure.
func TestFill(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 4, Required: rackLevel, Queue: "q"}
	other := Submission{Name: "h", Dialect: "kai", Size: 2, GPUs: 4, Preferred: rackLevel, Queue: "q"}
	half := Submission{Name: "i", Dialect: "job", Size: 2, GPUs: 1, Queue: "q"}
	w := Workload{Nodes: 2, Queues: []Queue{{Name: "q", Limit: 16}}, Submissions: []Submission{gang, other, half},
		Order: []int{0, 1}, Late: []int{2}}
	pods := []v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "b"), seat(other, 0, "b"), seat(other, 1, "b"), seat(half, 0, "a")}
	r := Result{Workload: w, Writes: map[string]int{"create pods/binding": 5, "create events": 2}, Claimants: []string{"g", "h"}}
	r.Evicted = Evictions{Times: []int{2, 1, 0}, Pods: []int{2, 1, 0}, MadeAgain: []int{2, 0, 0}}
	r.Verdict = Verify(w, Moment{}, pods, []v1.Node{testNode("a"), testNode("b")})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.Verdict.Lost, r.Verdict.FailedJobs = []string{"h"}, []string{"h", "i"}
	r.time(at, []time.Time{at, at.Add(time.Second), at, at}, []time.Time{at, at, at, at}, at.Add(2*time.Second), 1500*time.Millisecond)
	r.fill()
	want := Figures{Nodes: 2, Gangs: 3, Pods: 6, Bound: 5, PartialGangs: 1, DoubleBookedGPUs: 4, OversubscribedNodes: 1, PodsPerSecond: 2,
		SchedulerCPUSeconds: 1.5, APIWritesByScheduler: 7, Failed: 1, GangsInOneRack: 1, TopologyViolations: 1,
		QueueViolations: 1, Reclaims: 2, EvictedGangs: 2, PartialEvictions: 1,
		Jobs: 3, PodsCreatedSeconds: 1, PodsMadeAgain: 2, LostGangs: 1, FailedJobs: 2}
	if diff := cmp.Diff(want, r.Figures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
