package demo

import (
	"fmt"
	"slices"
)

// Evictions are what a watch has seen to be evicted, by submission.
type Evictions struct {
	// Times counts the evictions of pods. Pods counts the pods of which there was one.
	Times, Pods []int
	// MadeAgain counts the pods that controllers made since, in place of others.
	MadeAgain []int
}

// Gangs counts the gangs and single pods of which pods were evicted.
func (e Evictions) Gangs() int {
	n := 0
	for _, pods := range e.Pods {
		if pods > 0 {
			n++
		}
	}
	return n
}

// Partial are the submissions of which some pods were evicted and others not, or not as
// often, by index.
func (e Evictions) Partial(w Workload) []int {
	var partial []int
	for i, s := range w.Submissions {
		if e.Pods[i] > 0 && (e.Pods[i] < s.Size || e.Times[i]%s.Size != 0) {
			partial = append(partial, i)
		}
	}
	return partial
}

// A Moment is what is known of a workload when it is verified, beside what the API says.
type Moment struct {
	// Due says of each submission whether all of its pods should be bound; nil that all are.
	Due []bool
	// Evicted are the evictions so far. What was evicted and is not due waits by right.
	Evicted Evictions
}

func (m Moment) due(submission int) bool { return m.Due == nil || m.Due[submission] }

func (m Moment) evicted(submission int) bool {
	return m.Evicted.Pods != nil && m.Evicted.Pods[submission] > 0
}

// judgeQueues looks whether each queue has what it is entitled to, and no more. A queue
// violates the rules if
//
//   - its pods hold more GPUs than its limit,
//   - something waits in it that would be within what it is guaranteed, or
//   - something of it was evicted and waits, and it has less than it is guaranteed.
//
// holds says which pods hold GPUs.
func (v *Verdict) judgeQueues(w Workload, m Moment, holds map[PodRef]bool) {
	v.Used = make([]int, len(w.Queues))
	for q, queue := range w.Queues {
		used := 0
		for i, s := range w.Submissions {
			for j := range s.Size {
				if s.Queue == queue.Name && holds[PodRef{i, j}] {
					used += s.GPUs
				}
			}
		}
		v.Used[q] = used
		blame := func(format string, args ...any) {
			v.QueueViolations = append(v.QueueViolations, fmt.Sprintf("queue %s has %d GPUs, ", queue.Name, used)+fmt.Sprintf(format, args...))
		}
		if used > queue.Limit {
			blame("and its limit is %d", queue.Limit)
		}
		for i, s := range w.Submissions {
			missing := (s.Size - v.Placed[i]) * s.GPUs
			if s.Queue != queue.Name || missing == 0 || !m.due(i) && !m.evicted(i) {
				continue
			}
			if used+missing <= queue.Guaranteed {
				blame("is guaranteed %d, and %s waits for %d", queue.Guaranteed, s.Name, missing)
			} else if m.evicted(i) && used < queue.Guaranteed {
				blame("is guaranteed %d, and %s was evicted", queue.Guaranteed, s.Name)
			}
		}
	}
}

// merge adds what an earlier check has found, so that nothing that was wrong at any time is
// forgotten. What is bound is as it was at the last.
func (v *Verdict) merge(earlier Verdict) {
	union := func(all, more []string) []string {
		out := slices.Concat(all, more)
		slices.Sort(out)
		return slices.Compact(out)
	}
	v.PartialGangs = union(v.PartialGangs, earlier.PartialGangs)
	v.OversubscribedNodes = union(v.OversubscribedNodes, earlier.OversubscribedNodes)
	v.OutOfDomain = union(v.OutOfDomain, earlier.OutOfDomain)
	v.Unbound = union(v.Unbound, earlier.Unbound)
	v.QueueViolations = union(v.QueueViolations, earlier.QueueViolations)
	v.Lost = union(v.Lost, earlier.Lost)
	v.FailedJobs = union(v.FailedJobs, earlier.FailedJobs)
	v.Problems = union(v.Problems, earlier.Problems)
	v.DoubleBookedGPUs = max(v.DoubleBookedGPUs, earlier.DoubleBookedGPUs)
}
