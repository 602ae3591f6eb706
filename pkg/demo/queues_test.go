package demo

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/dialect"
)

// What comes late never fits without evictions, always fits with them, and is within what
// its queue is guaranteed.
func TestLate(t *testing.T) {
	everySize(t, func(t *testing.T, w Workload) {
		nodes, largest, research, serving := 0, 0, 0, 0
		plain := false
		for i, s := range w.Submissions {
			if s.Late != (i >= len(w.Submissions)-w.count(func(s Submission) bool { return s.Late })) {
				t.Errorf("%s is not at its place", s.Name)
			}
			switch s.Queue {
			case productionQueue:
				nodes += s.Size
				if plain = plain || s.Required == ""; plain && s.Required != "" {
					t.Errorf("%s requires a rack and comes after others", s.Name)
				}
			case researchQueue:
				research += s.Size
				largest = max(largest, s.Size)
			case servingQueue:
				serving += s.Size * s.GPUs
			default:
				t.Errorf("%s is in queue %q", s.Name, s.Queue)
			}
		}
		if nodes <= w.mostEmpty() {
			t.Errorf("%d nodes may be empty, and %d are asked for", w.mostEmpty(), nodes)
		}
		queues := w.Queues
		// Those who have to go are chosen one after the other: the last may be the largest.
		if room := research - (queues[0].Guaranteed+nodeGPUs-1)/nodeGPUs; nodes-w.Margin()+largest > room {
			t.Errorf("%d nodes may have to be taken back, in gangs of up to %d, and research borrows %d", nodes-w.Margin(), largest, room)
		}
		guaranteed := 0
		for _, q := range queues {
			guaranteed += q.Guaranteed
		}
		if nodes*nodeGPUs > queues[2].Guaranteed || serving > queues[1].Limit || research*nodeGPUs > queues[0].Limit || guaranteed > w.Nodes*nodeGPUs {
			t.Errorf("late %d GPUs, serving %d, research %d, with queues %+v", nodes*nodeGPUs, serving, research*nodeGPUs, queues)
		}
		if got := len(w.Pods(w.Late)); got != nodes {
			t.Errorf("%d pods come late, want %d", got, nodes)
		}
	})
}

// Each dialect names the queue in its own words, and Berth reads them.
func TestPodsNameTheirQueue(t *testing.T) {
	keys := map[string]bool{}
	for _, d := range dialects {
		s := Submission{Name: "g", Dialect: d.name, Size: 2, GPUs: 1, Queue: "research"}
		pod := podOf(s, 0)
		if got := dialect.Queue(pod.Labels, pod.Annotations); got != "research" {
			t.Errorf("%s: the queue is %q", d.name, got)
		}
		keys[d.queue] = true
		if _, member := dialect.Of(pod); !member {
			t.Errorf("%s: the pod is of no gang", d.name)
		}
	}
	if len(keys) < 6 {
		t.Errorf("queues are named in %d ways", len(keys))
	}
	pod := podOf(Submission{Name: "s", Size: 1, Queue: "serving"}, 0)
	if got := dialect.Queue(pod.Labels, pod.Annotations); got != "serving" {
		t.Errorf("the queue of a single pod is %q", got)
	}
}

func TestVerifyQueues(t *testing.T) {
	a := Submission{Name: "a", Dialect: "berth", Size: 2, GPUs: 2, Queue: "q"}
	b := Submission{Name: "b", Dialect: "berth", Size: 2, GPUs: 1, Queue: "q"}
	other := Submission{Name: "o", Size: 1, GPUs: 1, Queue: "r"}
	gangs := []Submission{a, b, other}
	on := func(index int) []v1.Pod {
		var pods []v1.Pod
		for i := range gangs[index].Size {
			pods = append(pods, seat(gangs[index], i, "a"))
		}
		return pods
	}
	wentAway := Evictions{Times: []int{2, 0, 0}, Pods: []int{2, 0, 0}}
	for _, test := range []struct {
		name              string
		guaranteed, limit int
		moment            Moment
		pods              []v1.Pod
		used              int
		want              []string
	}{
		{"all is well", 6, 6, Moment{}, slices.Concat(on(0), on(1), on(2)), 6, nil},
		{"above the limit", 0, 5, Moment{}, slices.Concat(on(0), on(1), on(2)), 6, []string{"queue q has 6 GPUs, and its limit is 5"}},
		{"what has ended holds nothing", 0, 5, Moment{}, []v1.Pod{seat(a, 0, "a"), seat(a, 1, "a", phase(v1.PodSucceeded)), seat(b, 0, "a"), seat(b, 1, "a"), seat(other, 0, "a")}, 4, nil},
		{"within the guarantee, and waiting", 6, 6, Moment{}, slices.Concat(on(1), on(2)), 2, []string{"queue q has 2 GPUs, is guaranteed 6, and a waits for 4"}},
		{"beyond the guarantee, and waiting", 5, 6, Moment{}, slices.Concat(on(1), on(2)), 2, nil},
		{"not due", 6, 6, Moment{Due: []bool{false, true, true}}, slices.Concat(on(1), on(2)), 2, nil},
		{"evicted within the guarantee", 6, 6, Moment{Due: []bool{false, true, true}, Evicted: wentAway}, slices.Concat(on(1), on(2)), 2, []string{"queue q has 2 GPUs, is guaranteed 6, and a waits for 4"}},
		{"evicted across the guarantee", 5, 6, Moment{Due: []bool{false, true, true}, Evicted: wentAway}, slices.Concat(on(1), on(2)), 2, []string{"queue q has 2 GPUs, is guaranteed 5, and a was evicted"}},
		{"evicted beyond the guarantee", 2, 6, Moment{Due: []bool{false, true, true}, Evicted: wentAway}, slices.Concat(on(1), on(2)), 2, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := Workload{Submissions: gangs, Queues: []Queue{{Name: "q", Guaranteed: test.guaranteed, Limit: test.limit}, {Name: "r", Limit: 8}}}
			got := Verify(w, test.moment, test.pods, []v1.Node{testNode("a")})
			if diff := cmp.Diff(test.want, got.QueueViolations); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]int{test.used, 1}, got.Used); diff != "" {
				t.Errorf("GPUs of the queues (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPartialEvictions(t *testing.T) {
	w := Workload{Submissions: []Submission{{Name: "stayed", Size: 2}, {Name: "went", Size: 2}, {Name: "twice", Size: 2}, {Name: "half", Size: 2}, {Name: "uneven", Size: 2}}}
	e := Evictions{Times: []int{0, 2, 4, 1, 3}, Pods: []int{0, 2, 2, 1, 2}}
	if got := e.Partial(w); !slices.Equal(got, []int{3, 4}) || e.Gangs() != 4 {
		t.Errorf("of %d gangs, those at %v went in part; want 3 and 4 of 4", e.Gangs(), got)
	}
}

// What was wrong once is not forgotten when it is mended.
func TestMerge(t *testing.T) {
	v := Verdict{Bound: 3, PartialGangs: []string{"b"}, DoubleBookedGPUs: 1, OneRack: []string{"now"}}
	v.merge(Verdict{Bound: 2, PartialGangs: []string{"a", "b"}, DoubleBookedGPUs: 2, OneRack: []string{"then"}, Unbound: []string{"p"},
		QueueViolations: []string{"q"}, OutOfDomain: []string{"d"}, OversubscribedNodes: []string{"n"}, Lost: []string{"l"}, FailedJobs: []string{"j"}, Problems: []string{"x"}})
	want := Verdict{Bound: 3, PartialGangs: []string{"a", "b"}, DoubleBookedGPUs: 2, OneRack: []string{"now"}, Unbound: []string{"p"},
		QueueViolations: []string{"q"}, OutOfDomain: []string{"d"}, OversubscribedNodes: []string{"n"}, Lost: []string{"l"}, FailedJobs: []string{"j"}, Problems: []string{"x"}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
