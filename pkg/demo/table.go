package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// singles is what the reports call the pods of no gang, in place of a dialect.
const singles = "single pods"

// A tally is the outcome of one dialect.
type tally struct {
	dialect      string // "" for single pods
	gangs, whole int    // whole are those that are bound
	pods, placed int
	gpus         int
}

// tallies sums up the outcome by dialect, single pods last.
func (r Result) tallies() []tally {
	var all []tally
	for _, d := range dialects {
		all = append(all, r.tally(d.name))
	}
	return append(all, r.tally(""))
}

func (r Result) tally(dialect string) tally {
	t := tally{dialect: dialect}
	for i, s := range r.Workload.Submissions {
		if s.Dialect != dialect {
			continue
		}
		t.gangs++
		t.pods += s.Size
		t.gpus += s.Size * s.GPUs
		t.placed += r.Verdict.Placed[i]
		if r.Verdict.Placed[i] == s.Size {
			t.whole++
		}
	}
	return t
}

// WriteTable writes the outcome for people.
func (r Result) WriteTable(out io.Writer) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "dialect\tgangs\tpods\tGPUs in all\tgangs placed\tpods placed\t\n")
	for _, t := range r.tallies() {
		if t.pods == 0 {
			continue
		}
		gangs, whole := fmt.Sprint(t.gangs), fmt.Sprint(t.whole)
		if t.dialect == "" {
			t.dialect, gangs, whole = singles, "", ""
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%d\t\n", t.dialect, gangs, t.pods, t.gpus, whole, t.placed)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	f := r.Figures
	r.writeQueues(&text)
	fmt.Fprintf(&text, "\n%d of %d pods of %d jobs and %d deployments placed on %d nodes, the first %d in %s: %.1f a second; the last of them was made after %.1f s; from when a pod could be bound until it was, median %d ms, p99 %d ms\n",
		f.Bound, f.Pods, f.Jobs, f.Deployments, f.Nodes, r.first(), r.Elapsed.Round(100*time.Millisecond), f.PodsPerSecond, f.PodsCreatedSeconds, f.P50, f.P99)
	if f.EvictedGangs > 0 {
		fmt.Fprintf(&text, "%d gangs and pods were evicted for %d of queue %s, all of which had their places after %s; their controllers made %d pods again\n",
			f.EvictedGangs, f.Reclaims, productionQueue, r.Reclaimed.Round(100*time.Millisecond), f.PodsMadeAgain)
	}
	fmt.Fprintf(&text, "%d partial gangs, %d double-booked GPUs, %d oversubscribed nodes, %d pods that should be bound and are not\n",
		f.PartialGangs, f.DoubleBookedGPUs, f.OversubscribedNodes, f.Failed)
	fmt.Fprintf(&text, "%d of %d gangs that asked for a rack are in one, %d of %d that require a rack or block are in several\n",
		f.GangsInOneRack, r.Workload.count(Submission.AsksForRack), f.TopologyViolations, r.Workload.count(func(s Submission) bool { return s.Required != "" }))
	entitled := "every queue had what it is entitled to"
	if f.QueueViolations > 0 {
		entitled = fmt.Sprintf("%d times a queue had less than it is entitled to, or more", f.QueueViolations)
	}
	fmt.Fprintf(&text, "%d gangs were evicted in part, %d did not come back, %d jobs failed, %s\n", f.PartialEvictions, f.LostGangs, f.FailedJobs, entitled)
	fmt.Fprintf(&text, "the scheduler used %.1f s of processor time for the first %d pods, and wrote to the API %d times in all:\n",
		f.SchedulerCPUSeconds, r.first(), f.APIWritesByScheduler)
	kinds := slices.SortedFunc(maps.Keys(r.Writes), func(a, b string) int {
		if r.Writes[a] != r.Writes[b] {
			return r.Writes[b] - r.Writes[a]
		}
		return strings.Compare(a, b)
	})
	for _, kind := range kinds {
		fmt.Fprintf(&text, "%8d  %s\n", r.Writes[kind], kind)
	}
	for _, why := range r.Waiting {
		fmt.Fprintln(&text, why)
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// first is how many pods do not come late.
func (r Result) first() int { return len(r.Workload.Pods(r.Workload.Order)) }

// writeQueues writes what each queue is entitled to, and what it had at each stage.
func (r Result) writeQueues(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\nqueue\tguaranteed\tlimit")
	for _, stage := range r.Stages {
		fmt.Fprint(table, "\t"+stage.When)
	}
	fmt.Fprintln(table, "\tevicted\t")
	for i, q := range r.Workload.Queues {
		fmt.Fprintf(table, "%s\t%d\t%d", q.Name, q.Guaranteed, q.Limit)
		for _, stage := range r.Stages {
			fmt.Fprintf(table, "\t%d", stage.Used[i])
		}
		evicted := 0
		for j, s := range r.Workload.Submissions {
			if s.Queue == q.Name && r.Evicted.Pods[j] > 0 {
				evicted++
			}
		}
		fmt.Fprintf(table, "\t%d\t\n", evicted)
	}
	table.Flush() // to memory
}
