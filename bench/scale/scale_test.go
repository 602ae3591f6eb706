package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/bench/report"
)

// null is this program, called as it calls itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == null {
		main()
		return
	}
	os.Exit(m.Run())
}

// Berth and null play the small variant of what makes pods, and what was measured is there
// when the same command is given again.
func TestSmallVariants(t *testing.T) {
	out := filepath.Join(t.TempDir(), "scale.json")
	o := func() *options {
		return &options{
			scenarios: []string{"backlog", "gangs", "racks", "spike", "start", "reasons", "losses", "pending"}, contenders: []string{berth, null},
			nodes: []int{40}, podsPerNode: 3, rounds: 1, small: true, out: out,
		}
	}
	if err := o().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := report.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range found.Scale {
		got = append(got, s.Scenario+" "+s.Scheduler)
		if s.Failed != "" || s.Nodes != 40 || s.Round != 1 {
			t.Errorf("a sample that cannot be: %+v", s)
		}
		for _, m := range s.Measures {
			positive := m.Name == "pods/s" || m.Name == "gangs/s" || m.Name == "last bound s" || m.Name == "peak memory MiB" || m.Name == "first binding s"
			if m.Value < 0 || positive && m.Value == 0 {
				t.Errorf("%s of %s: %s is %g", s.Scenario, s.Scheduler, m.Name, m.Value)
			}
			if m.Name == "writes a pod" && (m.Value < 1 || s.Scheduler == null && m.Value > 1.05) {
				t.Errorf("%s of %s: %g writes a pod", s.Scenario, s.Scheduler, m.Value)
			}
		}
	}
	want := []string{
		"backlog berth", "backlog null", "gangs berth", "gangs null", "racks berth", "racks null", "spike berth", "spike null",
		"start berth", "reasons berth", "losses berth", "pending berth",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left := o().plan(40, []contender{{name: berth}, {name: null}}, found.Scale); len(left) != 0 {
		t.Errorf("runs are left: %v", left)
	}
}

func TestPlan(t *testing.T) {
	o := &options{scenarios: []string{"start", "gangs"}, rounds: 2}
	all := []contender{{name: upstream}, {name: berth}, {name: null}}
	done := []report.ScaleSample{
		{Scenario: "gangs", Nodes: 10, Scheduler: upstream, Round: 1},
		{Scenario: "gangs", Nodes: 20, Scheduler: berth, Round: 1},
		{Scenario: "start", Nodes: 10, Scheduler: berth, Round: 2},
	}
	var got []string
	for _, r := range o.plan(10, all, done) {
		got = append(got, strings.Join([]string{r.scenario.name, r.contender.name, string(rune('0' + r.round))}, " "))
	}
	// Everybody takes a turn before anybody takes the next, and null does not start.
	want := []string{
		"gangs berth 1", "gangs null 1", "gangs upstream 2", "gangs berth 2", "gangs null 2",
		"start upstream 1", "start berth 1", "start upstream 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFlags(t *testing.T) {
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, wrong string
		args        []string
	}{
		{"scenario", `no scenario "speed"`, []string{"--scenarios=speed"}},
		{"contender", `no "kueue"; there are upstream, berth, null`, []string{"--contenders=kueue"}},
		{"build that is not there", "no such file", []string{"--build=before=/nowhere"}},
		{"build with a taken name", `"berth" is taken`, []string{"--build=berth=" + here}},
		{"nodes", "--nodes=0", []string{"--nodes=0"}},
		{"rounds", "--rounds=0", []string{"--rounds=0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := command()
			cmd.SetArgs(append(test.args, "--out="+filepath.Join(t.TempDir(), "out.json")))
			cmd.SilenceErrors = true
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("error %v; want one with %q", err, test.wrong)
			}
		})
	}
}

// What was measured with other code is not gone on with.
func TestOtherCommit(t *testing.T) {
	out := filepath.Join(t.TempDir(), "scale.json")
	if err := (report.Report{Environment: report.Environment{Commit: "other"}}).Write(out); err != nil {
		t.Fatal(err)
	}
	if _, err := (&options{out: out}).before(); err == nil || !strings.Contains(err.Error(), `commit "other"`) {
		t.Errorf("error %v; want one that names the other commit", err)
	}
	if _, err := (&options{out: out, fresh: true}).before(); err != nil {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	var values []float64
	for i := range 100 {
		values = append(values, float64(i))
	}
	slices.Sort(values)
	if p50, p99, all := quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1); p50 != 50 || p99 != 99 || all != 99 {
		t.Errorf("quantiles are %g, %g and %g", p50, p99, all)
	}
}

// A pod is as large as those that operators make.
func TestPodSize(t *testing.T) {
	pod := podSpec{name: "gang-1-2", namespace: measuredNamespace, role: measured, scheduler: "berth", gpus: 8, cpus: 32, group: "gang-1"}.pod()
	data, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	// The API server adds managed fields, two tolerations and a token.
	if size := len(data); size < 2500 || size > 6000 {
		t.Errorf("a pod has %d bytes", size)
	}
}
