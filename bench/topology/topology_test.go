package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// A tiny instance.
const (
	tinyNodes = 4
	tinyJobs  = 300
	tinyLoad  = 0.7
)

func prepare(t *testing.T) *machine {
	t.Helper()
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	m, err := newMachine()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lived returns a world in which all jobs of a tiny stream have come and gone.
func lived(t *testing.T, m *machine, s setup) *world {
	t.Helper()
	s.nodes = tinyNodes
	w, err := newWorld(s, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	jobs := stream(s.seed, tinyJobs, tinyLoad, tinyNodes*rig.GPUsPerNode)
	w.tally.last = jobs[len(jobs)-1].comes
	if err := w.live(jobs); err != nil {
		t.Fatalf("%s: %v", s.contestant.name, err)
	}
	return w
}

// stay is where and when a job ran.
type stay struct {
	Job, GPUs int
	Node      string
	Set       topology.Mask
	Begin     float64
}

func stays(w *world) []stay {
	var out []stay
	for _, p := range w.history {
		out = append(out, stay{p.job.number, p.job.gpus, p.Node, p.set, p.begin})
	}
	return out
}

// Every contestant places every job of the stream, each with devices of its own, in the
// order in which they come.
func TestEveryJobHasItsDevices(t *testing.T) {
	m := prepare(t)
	for _, pass := range []bool{false, true} {
		for _, c := range contestants {
			if pass && c.name != "berth" {
				continue // passing has jobs tried many times, whoever schedules
			}
			w := lived(t, m, setup{contestant: c, seed: 1, pass: pass})
			want := stream(1, tinyJobs, tinyLoad, tinyNodes*rig.GPUsPerNode)
			if len(w.history) != len(want) {
				t.Fatalf("%s: %d jobs were placed, want %d", c.name, len(w.history), len(want))
			}
			for i, p := range w.history {
				if j := want[p.job.number]; j != p.job || p.set.Len() != j.gpus || p.begin < j.comes {
					t.Errorf("%s: job %+v has devices %08b from %v on, and came as %+v", c.name, p.job, p.set, p.begin, j)
				}
				if !pass && p.job.number != i {
					t.Errorf("%s: job %d was placed as the %dth", c.name, p.job.number, i)
				}
				for _, other := range w.history[:i] {
					if p.Node == other.Node && p.set&other.set != 0 && p.begin < other.end && other.begin < p.end {
						t.Errorf("%s: jobs %d and %d have devices of node %s at one time", c.name, p.job.number, other.job.number, p.Node)
					}
				}
			}
		}
	}
}

// Berth places the same stream the same way. Upstream breaks ties at random.
func TestBerthIsDeterministic(t *testing.T) {
	m := prepare(t)
	for _, c := range contestants {
		if !c.told() {
			continue
		}
		one, two := lived(t, m, setup{contestant: c, seed: 2}), lived(t, m, setup{contestant: c, seed: 2})
		if diff := cmp.Diff(stays(one), stays(two)); diff != "" {
			t.Errorf("%s, run twice:\n%s", c.name, diff)
		}
	}
}

// What the schedulers know of links is worth something.
func TestLinksAreWorthSomething(t *testing.T) {
	m := prepare(t)
	got := map[string]float64{}
	for _, c := range contestants {
		// One short stream on a few nodes tells little.
		ideal, jobs := 0.0, 0.0
		for seed := range uint64(6) {
			w := lived(t, m, setup{contestant: c, seed: seed + 1})
			ideal, jobs = ideal+w.tally.ofIdeal, jobs+float64(w.tally.jobs)
		}
		got[c.name] = ideal / jobs
	}
	for _, name := range []string{"berth", "berth-exact"} {
		if got[name] < got["upstream"] {
			t.Errorf("jobs have %.3f of the ideal bandwidth with %s, and %.3f with upstream", got[name], name, got["upstream"])
		}
	}
}

// Berth knows who holds what, though the device plugin picks.
func TestReportsReachBerth(t *testing.T) {
	m := prepare(t)
	for _, c := range contestants {
		if !c.told() {
			continue
		}
		w, err := newWorld(setup{contestant: c, nodes: tinyNodes}, m)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
		for i, gpus := range []int{1, 3, 2, 1, 4, 1, 2} {
			if ok, err := w.try(job{number: i, gpus: gpus}); err != nil || !ok {
				t.Fatalf("%s: job %d: placed: %t, error %v", c.name, i, ok, err)
			}
		}
		if err := w.end(w.running[0]); err != nil {
			t.Fatal(err)
		}
		w.running = w.running[1:]
		for _, node := range w.Who.Path().Inventory().Dump() {
			var free topology.Mask
			for d := range m.Devices {
				for _, uuid := range node.Free {
					if uuid == rig.UUID(node.Node, d) {
						free |= 1 << d
					}
				}
			}
			if want := w.free(node.Node); free != want {
				t.Errorf("%s: node %s has %08b free, and Berth says %08b", c.name, node.Node, want, free)
			}
		}
	}
}

// A job that does not fit waits for those that run, and those that come later for it.
func TestWaiting(t *testing.T) {
	m := prepare(t)
	jobs := []job{
		{number: 0, gpus: 4, comes: 1, runs: 10}, {number: 1, gpus: 3, comes: 2, runs: 10},
		{number: 2, gpus: 2, comes: 3, runs: 10}, {number: 3, gpus: 1, comes: 4, runs: 10},
	}
	tests := []struct {
		name string
		pass bool
		want []float64 // when each begins
	}{
		{"first come, first served", false, []float64{1, 2, 11, 11}},
		{"those that fit pass", true, []float64{1, 2, 11, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, err := newWorld(setup{contestant: contestants[2], nodes: 1, pass: test.pass}, m)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Stop)
			if err := w.live(jobs); err != nil {
				t.Fatal(err)
			}
			got := make([]float64, len(jobs))
			for _, p := range w.history {
				got[p.job.number] = p.begin
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("jobs begin (-want +got):\n%s", diff)
			}
		})
	}
}

// The stream asks for what it says.
func TestStream(t *testing.T) {
	const gpus, load, jobs = 128, 0.7, 200_000
	all := stream(4, jobs, load, gpus)
	asked, sizes := 0.0, map[int]int{}
	for i, j := range all {
		asked += float64(j.gpus) * j.runs
		sizes[j.gpus]++
		if i > 0 && j.comes < all[i-1].comes {
			t.Fatalf("job %d comes before the one before it", i)
		}
	}
	if got := asked / all[jobs-1].comes / gpus; got < load-0.01 || got > load+0.01 {
		t.Errorf("%.3f of the GPUs are asked for, want %.3f", got, load)
	}
	for _, m := range mix {
		if got := 100 * float64(sizes[m.gpus]) / jobs; got < float64(m.percent)-0.5 || got > float64(m.percent)+0.5 {
			t.Errorf("%.1f %% of the jobs ask for %d GPUs, want %d", got, m.gpus, m.percent)
		}
	}
	if diff := cmp.Diff(all[:100], stream(4, 100, load, gpus), cmp.AllowUnexported(job{})); diff != "" {
		t.Errorf("the stream of a seed differs from run to run:\n%s", diff)
	}
}

func TestCommand(t *testing.T) {
	prepare(t)
	out := filepath.Join(t.TempDir(), "topology.json")
	tests := []struct {
		name string
		args string
		want string // in the error; "" for none
	}{
		{"a run", "--nodes=2 --jobs=200 --loads=50 --seeds=1 --sizes=2=1,4=1", ""},
		{"a load of nothing", "--loads=0", "--loads=0: a load is from 1 to 100"},
		{"no seeds", "--seeds=0", "--seeds=0"},
		{"too short", "--jobs=100", "it must be at least 556"},
		{"a weight of a word", "--sizes=2=many", "--sizes=2=many: it must be a size from 1 to 16"},
		{"an argument", "now", "unknown command"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := command()
			cmd.SetArgs(append(strings.Fields(test.args), "--out="+out))
			cmd.SetOut(os.Stderr)
			err := cmd.Execute()
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want one with %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := report.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Topology) != len(contestants) {
				t.Errorf("it wrote %d rows, want %d", len(r.Topology), len(contestants))
			}
		})
	}
}
