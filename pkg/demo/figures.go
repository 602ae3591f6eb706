package demo

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/pkg/webpage"
)

// Figures are what the demo measured; the package doc defines each. They are
// encoded in this order.
type Figures struct {
	Nodes                int     `json:"nodes"`
	Gangs                int     `json:"gangs"`
	Pods                 int     `json:"pods"`
	Bound                int     `json:"bound"`
	PartialGangs         int     `json:"partial_gangs"`
	DoubleBookedGPUs     int64   `json:"double_booked_gpus"`
	OversubscribedNodes  int     `json:"oversubscribed_nodes"`
	PodsPerSecond        float64 `json:"pods_per_second"`
	P50                  int64   `json:"p50_ms"`
	P99                  int64   `json:"p99_ms"`
	SchedulerCPUSeconds  float64 `json:"scheduler_cpu_seconds"`
	APIWritesByScheduler int     `json:"api_writes_by_scheduler"`
	Failed               int     `json:"failed"`
	GangsInOneRack       int     `json:"gangs_in_one_rack"`
	TopologyViolations   int     `json:"topology_violations"`
	QueueViolations      int     `json:"queue_violations"`
	Reclaims             int     `json:"reclaims"`
	EvictedGangs         int     `json:"evicted_gangs"`
	PartialEvictions     int     `json:"partial_evictions"`
	Jobs                 int     `json:"jobs"`
	Deployments          int     `json:"deployments"`
	PodsCreatedSeconds   float64 `json:"pods_created_seconds"`
	PodsMadeAgain        int     `json:"pods_made_again"`
	LostGangs            int     `json:"lost_gangs"`
	FailedJobs           int     `json:"failed_jobs"`
}

// JSON is the figures on one line, without its end.
func (f Figures) JSON() (string, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("encoding the figures: %w", err)
	}
	return string(line), nil
}

// A Result is all that came of a workload.
type Result struct {
	Figures  Figures
	Workload Workload
	Verdict  Verdict
	// Nodes are the nodes with who sits there, by block, rack and name.
	Nodes []webpage.Node
	// Stages are the checks, in the order in which they were made.
	Stages []Stage
	// Evicted is what was evicted, and Claimants for whom, by name.
	Evicted   Evictions
	Claimants []string
	// Elapsed is from the start of the clock until the last bind of what does not come late,
	// Created until the last pod of it was made, and Reclaimed how long it took to place what
	// does come late.
	Elapsed, Created, Reclaimed time.Duration
	// Writes counts the scheduler's requests that write, by verb and resource.
	Writes map[string]int
	// Stopped says what ended the wait before all was bound; nil if nothing did.
	Stopped error
	// Waiting holds, of some pods that are not bound, what the API says of why.
	Waiting []string
}

// A Stage is a check of the outcome: when it was made, and how many GPUs the pods of each
// queue held, in the order of the workload's queues.
type Stage struct {
	When string `json:"when"`
	Used []int  `json:"used"`
}

// Err is nil if the outcome is as it should be, and says what is not.
func (r Result) Err() error {
	var wrong []string
	note := func(n int64, one, many string) {
		switch {
		case n == 1:
			wrong = append(wrong, "1 "+one)
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("%d %s", n, many))
		}
	}
	note(int64(r.Figures.PartialGangs), "gang is bound by half", "gangs are bound by half")
	note(r.Figures.DoubleBookedGPUs, "GPU is double-booked", "GPUs are double-booked")
	note(int64(r.Figures.OversubscribedNodes), "node is oversubscribed", "nodes are oversubscribed")
	note(int64(r.Figures.TopologyViolations), "gang is not in one domain of the level that it requires", "gangs are not in one domain of the level that they require")
	note(int64(r.Figures.PartialEvictions), "gang was evicted in part", "gangs were evicted in part")
	wrong = append(wrong, r.Verdict.QueueViolations...)
	wrong = append(wrong, r.Verdict.Lost...)
	wrong = append(wrong, r.Verdict.FailedJobs...)
	if r.Stopped == nil && r.Figures.Reclaims == 0 {
		wrong = append(wrong, "nothing was evicted for what came late, for which something has to be")
	}
	note(int64(r.Figures.Failed), "pod that should be bound is not", "pods that should be bound are not")
	wrong = append(wrong, r.Verdict.Problems...)
	if r.Stopped != nil {
		wrong = append(wrong, r.Stopped.Error())
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the outcome is not as it should be: %s", strings.Join(wrong, "; "))
}

// percentile is the smallest of the values that at least percent of a hundred of
// them do not exceed; 0 of none. It sorts the values.
func percentile(values []time.Duration, percent int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := (len(values)*percent + 99) / 100
	return values[max(rank, 1)-1]
}

// latencies are those of the bound pods. created and bound are by the pod's place
// in w.Pods(w.Order), and zero for what did not come to pass.
func latencies(w Workload, created, bound []time.Time) []time.Duration {
	refs := w.Pods(w.Order)
	// When the last pod of each submission was there; zero if one never was.
	ready := make([]time.Time, len(w.Submissions))
	missing := make([]bool, len(w.Submissions))
	for i, ref := range refs {
		if created[i].IsZero() {
			missing[ref.Submission] = true
		}
		if created[i].After(ready[ref.Submission]) {
			ready[ref.Submission] = created[i]
		}
	}
	var all []time.Duration
	for i, ref := range refs {
		if bound[i].IsZero() || missing[ref.Submission] {
			continue
		}
		all = append(all, max(bound[i].Sub(ready[ref.Submission]), 0))
	}
	return all
}

// rate is n in elapsed, a second, to one decimal.
func rate(n int, elapsed time.Duration) float64 {
	if n == 0 || elapsed <= 0 {
		return 0
	}
	return math.Round(float64(n)/elapsed.Seconds()*10) / 10
}
