package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/bench/report"
)

// run runs the command on a tiny cluster.
func run(out, args string) (said string, err error) {
	var b strings.Builder
	cmd := command()
	cmd.SetArgs(append(strings.Fields("--racks=6 --rack-nodes=8 --block-racks=4 --largest=16 "+args), "--out="+out))
	cmd.SetOut(&b)
	cmd.SetErr(io.Discard)
	err = cmd.Execute()
	return b.String(), err
}

// arrivals returns how many gangs each row of the results is over.
func arrivals(t *testing.T, out string) map[string][]int {
	t.Helper()
	r, err := report.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]int{}
	for _, row := range r.Fragmentation {
		got[row.Contestant] = append(got[row.Contestant], row.Arrivals)
	}
	return got
}

// Results of runs that are made one by one are kept together.
func TestRuns(t *testing.T) {
	prepare(t)
	out := filepath.Join(t.TempDir(), "made", "fragmentation.json")
	steps := []struct {
		name, args string
		want       map[string][]int
	}{
		{"all", "--arrivals=150", map[string][]int{"berth": {150}, "berth-required": {150}, "first-fit": {150}, "upstream": {150}, "upstream-tas": {150}}},
		{"more of some", "--arrivals=200 --continue --contestants=berth,first-fit", map[string][]int{"berth": {150, 200}, "berth-required": {150}, "first-fit": {150, 200}, "upstream": {150}, "upstream-tas": {150}}},
		{"nothing to do", "--arrivals=170 --continue --contestants=berth", map[string][]int{"berth": {150, 200}, "berth-required": {150}, "first-fit": {150, 200}, "upstream": {150}, "upstream-tas": {150}}},
		{"stopped", "--arrivals=200 --time=1ns --contestants=upstream", map[string][]int{"berth": {150, 200}, "berth-required": {150}, "first-fit": {150, 200}, "upstream-tas": {150}}},
		{"continued", "--arrivals=180 --continue --contestants=upstream", map[string][]int{"berth": {150, 200}, "berth-required": {150}, "first-fit": {150, 200}, "upstream": {150, 180}, "upstream-tas": {150}}},
		{"another seed, of all", "--arrivals=130 --seed=2", map[string][]int{"berth": {130}, "berth-required": {130}, "first-fit": {130}, "upstream": {130}, "upstream-tas": {130}}},
	}
	for _, step := range steps {
		said, err := run(out, step.args)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, arrivals(t, out)); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", step.name, diff)
		}
		if want := "written: " + out; !strings.Contains(said, want) || !strings.Contains(said, "| contestant ") {
			t.Errorf("%s: it said %q, want a table and %q", step.name, said, want)
		}
	}
	for _, args := range []string{"--arrivals=150 --contestants=berth", "--arrivals=150 --continue"} {
		if _, err := run(out, args); err == nil || !strings.Contains(err.Error(), "is of other parameters") {
			t.Errorf("%s after another seed: error %v", args, err)
		}
	}
}

func TestFlags(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--contestants=kueue", `there is no contestant "kueue"; there are berth, berth-required`},
		{"--contestants=", "there must be one"},
		{"--load=0", "--load=0: it must be from 1 to 100"},
		{"--racks=0", "--racks=0, --rack-nodes=8, --block-racks=4: each must be at least 1"},
		{"--smallest=9 --largest=8", "the largest is not below the smallest"},
		{"--largest=33", "--largest=33: the largest block has 32 nodes"},
		{"--every=0s", "the second must be positive"},
		{"--arrivals=100", "it must be at least 1"},
		{"now", "unknown command"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			if _, err := run(filepath.Join(t.TempDir(), "f.json"), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
