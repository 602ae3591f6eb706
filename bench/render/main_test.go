package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/bench/report"
)

const (
	perfJSON = `{
		"environment": {"date": "2026-03-01T12:00:00Z", "go": "go1.26.8", "cpus": 2},
		"rows": [{"topic": "gpu-single", "scheduler": "berth", "nodes": 2500, "pods": 10, "pods_per_second": 900, "runs": 3}]
	}`
	cycleJSON = `{
		"cycle": [{"scheduler": "floor", "nodes": 2500, "fill": "empty", "ns_per_pod": 50000, "runs": 3}],
		"gangs": [{"scheduler": "berth", "nodes": 2500, "pods": 1000, "ms_per_gang": 30, "runs": 3, "ms_per_cycle": 40}],
		"quality": [{"scheduler": "berth", "nodes": 500, "seeds": 20, "free_nodes": 31.5, "at_least": 19, "placed": 4000}],
		"links": [{"machine": "hgx-h100", "nodes": 2500, "fill": "half", "ns_without": 50000, "ns_with": 52000, "ratio": 1.04, "pairs": 10}],
		"plans": [{"nodes": 25000, "fill": 90, "gang": 512, "feasible": false, "ms_p50": 1.5, "ms_p99": 2.75, "ms_max": 3, "plans": 300}]
	}`
	plansJSON = `{
		"environment": {"cpus": 12},
		"plans": [{"nodes": 2500, "fill": 0, "gang": 512, "feasible": true, "ms_p50": 0.5, "ms_p99": 4.75, "ms_max": 5, "plans": 300}]
	}`
	topologyJSON = `{
		"environment": {"cpus": 8},
		"topology": [{"contestant": "berth-exact", "load": 70, "nodes": 16, "seeds": 5, "jobs": 100, "of_ideal": 0.875}]
	}`
	fragmentationJSON = `{
		"environment": {"cpus": 16},
		"fragmentation": [{"contestant": "first-fit", "load": 85, "nodes": 2496, "racks": 78, "arrivals": 100, "gangs": 90, "in_one_rack": 0.625}]
	}`
	emptyReadme = `# Benchmarks
<!-- tables: perf -->
<!-- /tables -->
<!-- tables: cycle -->
<!-- /tables -->
<!-- tables: gangs -->
<!-- /tables -->
<!-- tables: links -->
<!-- /tables -->
<!-- tables: quality -->
<!-- /tables -->
<!-- tables: plans -->
<!-- /tables -->
<!-- tables: queues -->
<!-- /tables -->
<!-- tables: admissions -->
<!-- /tables -->
<!-- tables: queue-pairs -->
<!-- /tables -->
<!-- tables: topology -->
<!-- /tables -->
<!-- tables: scale -->
<!-- /tables -->
<!-- tables: fragmentation -->
<!-- /tables -->
`
)

// lay writes files into a new directory.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// render runs the command.
func render(args ...string) (string, error) {
	var out strings.Builder
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.Execute()
	return out.String(), err
}

func TestCombine(t *testing.T) {
	environment := report.Environment{Date: "2026-03-01T12:00:00Z", Go: "go1.26.8", CPUs: 2}
	perf := []report.PerfRow{{Topic: "gpu-single", Scheduler: "berth", Nodes: 2500, Pods: 10, PodsPerSecond: 900, Runs: 3}}
	cycles := []report.CycleRow{{Scheduler: "floor", Nodes: 2500, Fill: "empty", NsPerPod: 50_000, Runs: 3}}
	gangs := []report.GangCycleRow{{Scheduler: "berth", Nodes: 2500, Pods: 1000, MsPerGang: 30, MsPerCycle: 40, Runs: 3}}
	quality := []report.QualityRow{{Scheduler: "berth", Nodes: 500, Seeds: 20, FreeNodes: 31.5, AtLeast: 19, Placed: 4000}}
	links := []report.LinkRow{{Machine: "hgx-h100", Nodes: 2500, Fill: "half", InTurn: report.InTurn{NsWithout: 50_000, NsWith: 52_000, Ratio: 1.04, Pairs: 10}}}
	plans := []report.PlanRow{{Nodes: 25_000, Fill: 90, Gang: 512, MsP50: 1.5, MsP99: 2.75, MsMax: 3, Plans: 300}}
	alone := []report.PlanRow{{Nodes: 2500, Gang: 512, Feasible: true, MsP50: 0.5, MsP99: 4.75, MsMax: 5, Plans: 300}}
	topology := []report.TopologyRow{{Contestant: "berth-exact", Load: 70, Nodes: 16, Seeds: 5, Jobs: 100, OfIdeal: 0.875}}
	fragmentation := []report.FragmentationRow{{Contestant: "first-fit", Load: 85, Nodes: 2496, Racks: 78, Arrivals: 100, Gangs: 90, InOneRack: 0.625}}
	tests := []struct {
		name  string
		files map[string]string
		want  report.Report
		page  []string
	}{
		{
			"all", map[string]string{"perf.json": perfJSON, "cycle.json": cycleJSON, "topology.json": topologyJSON, "fragmentation.json": fragmentationJSON},
			report.Report{Environment: environment, Perf: perf, Cycles: cycles, Gangs: gangs, Links: links, Quality: quality, Plans: plans, Topology: topology, Fragmentation: fragmentation},
			[]string{"gpu-single", "Empty cluster", "19 of 20 seeds", "1.040", "2.75", "0.875", "62.5 %"},
		},
		{
			"only perf", map[string]string{"perf.json": perfJSON},
			report.Report{Environment: environment, Perf: perf}, []string{"gpu-single"},
		},
		{
			"only cycle", map[string]string{"cycle.json": cycleJSON},
			report.Report{Perf: []report.PerfRow{}, Cycles: cycles, Gangs: gangs, Links: links, Quality: quality, Plans: plans}, []string{"Empty cluster"},
		},
		{
			"plans alone, after cycle", map[string]string{"cycle.json": cycleJSON, "plans.json": plansJSON},
			report.Report{Environment: report.Environment{CPUs: 12}, Perf: []report.PerfRow{}, Cycles: cycles, Gangs: gangs, Links: links, Quality: quality, Plans: alone}, []string{"4.75"},
		},
		{
			"queues alone, after cycle", map[string]string{"cycle.json": cycleJSON, "queues.json": `{"queues": [{"queues": 1000, "nodes": 2500, "pending": 7, "gangs_per_second": 1234.4}]}`},
			report.Report{
				Perf: []report.PerfRow{}, Cycles: cycles, Gangs: gangs, Links: links, Quality: quality, Plans: plans,
				Queues: []report.QueueRow{{Queues: 1000, Nodes: 2500, Pending: 7, PerSecond: 1234.4}},
			}, []string{"1,234"},
		},
		{
			"only topology", map[string]string{"topology.json": topologyJSON},
			report.Report{Environment: report.Environment{CPUs: 8}, Perf: []report.PerfRow{}, Topology: topology}, []string{"berth-exact"},
		},
		{
			"only fragmentation", map[string]string{"fragmentation.json": fragmentationJSON},
			report.Report{Environment: report.Environment{CPUs: 16}, Perf: []report.PerfRow{}, Fragmentation: fragmentation}, []string{"first-fit"},
		},
		{
			"only cycle, which says where it ran", map[string]string{"cycle.json": `{"environment": {"cpus": 4}}`},
			report.Report{Environment: report.Environment{CPUs: 4}, Perf: []report.PerfRow{}}, []string{"<dt>CPUs</dt><dd>4</dd>"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, out := lay(t, test.files), filepath.Join(t.TempDir(), "made")
			said, err := render("--in", in, "--out", out)
			if err != nil {
				t.Fatal(err)
			}
			data, page := filepath.Join(out, "report.json"), filepath.Join(out, "report.html")
			if want := "written: " + data + "\nwritten: " + page + "\n"; said != want {
				t.Errorf("said %q, want %q", said, want)
			}
			got, err := report.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, want := range test.page {
				if !strings.Contains(read(t, page), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
}

func TestReadme(t *testing.T) {
	dir := lay(t, map[string]string{"report.json": perfJSON, "README.md": emptyReadme})
	readme := filepath.Join(dir, "README.md")
	args := []string{"--report", filepath.Join(dir, "report.json"), "--readme", readme}

	_, err := render(append(args, "--check")...)
	if err == nil || !strings.Contains(err.Error(), "run go run ./bench/render --report "+args[1]+" --readme "+readme) {
		t.Errorf("checking a stale README: error %v, want one that says what to run", err)
	}
	if got := read(t, readme); got != emptyReadme {
		t.Errorf("a check wrote:\n%s", got)
	}

	if _, err := render(args...); err != nil {
		t.Fatal(err)
	}
	filled := read(t, readme)
	if !strings.Contains(filled, "| gpu-single | berth ") {
		t.Errorf("the table of perf is not filled:\n%s", filled)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("it wrote something else: %v", entries)
	}

	said, err := render(append(args, "--check")...)
	if err != nil || said != "up to date: "+readme+"\n" {
		t.Errorf("checking a fresh README: said %q, error %v", said, err)
	}
}

func TestErrors(t *testing.T) {
	nothing := t.TempDir()
	results := lay(t, map[string]string{"perf.json": perfJSON, "cycle.json": "{", "README.md": "# None\n"})
	at := func(name string) string { return filepath.Join(results, name) }
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no results", []string{"--in", nothing, "--out", nothing}, "neither perf.json nor cycle.json nor plans.json nor queues.json nor topology.json nor fragmentation.json nor scale.json"},
		{"broken results", []string{"--in", results, "--out", nothing}, "cycle.json"},
		{"report without README", []string{"--report", at("perf.json")}, "--readme whose tables"},
		{"README without report", []string{"--readme", at("README.md")}, "--report that its tables"},
		{"check of nothing", []string{"--check"}, "--check: it needs"},
		{"both at once", []string{"--in", results, "--report", at("perf.json"), "--readme", at("README.md")}, "one after the other"},
		{"no such report", []string{"--report", at("none.json"), "--readme", at("README.md")}, "none.json"},
		{"no such README", []string{"--report", at("perf.json"), "--readme", at("none.md")}, "none.md"},
		{"README without places", []string{"--report", at("perf.json"), "--readme", at("README.md")}, `table "perf"`},
		{"an argument", []string{"bench/out"}, "unknown command"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := render(test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	entries, err := os.ReadDir(nothing)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("something was written in spite of errors: %v", entries)
	}
}

// The README of the benchmarks has a place for each table.
func TestPlacesOfTheReadme(t *testing.T) {
	if _, err := (report.Report{}).FillTables(read(t, filepath.Join("..", "README.md"))); err != nil {
		t.Error(err)
	}
}
