package report

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// whole is a report with rows of every sort.
func whole() Report {
	var samples []PerfSample
	for i, name := range []string{"upstream", "upstream-pack", "berth", "null"} {
		for run := range 3 {
			samples = append(samples, PerfSample{
				Topic: "gpu-single", Scheduler: name, Nodes: 2500, Pods: 10_000, PodsPerSecond: 400*float64(i+1) + 20*float64(run),
				CycleUsP50: 900 / float64(i+1), CycleUsP99: 4000 / float64(i+1), CPUSecondsPer1000Pods: 2.5 / float64(i+1), PeakHeapMiB: 512, APIWritesPerPod: 2 - float64(i)/4,
			})
		}
	}
	r := Report{
		Environment: Environment{Date: "2026-03-01T12:00:00Z", Go: "go1.26.8", Kubernetes: "v1.37.2", Commit: "0123abc", CPU: "Some <CPU> & Co", CPUs: 2, MemoryGiB: 23.5},
		Perf:        PerfRows(samples),
		Quality: []QualityRow{
			{Scheduler: "upstream-pack", Nodes: 500, Seeds: 20, FreeNodes: 31.25, AtLeast: 20, Placed: 4000},
			{Scheduler: "berth", Nodes: 500, Seeds: 20, FreeNodes: 33.5, AtLeast: 18, Placed: 4001.5},
		},
	}
	for _, fill := range []string{"empty", "half"} {
		for _, nodes := range []int{2500, 25_000} {
			r.Cycles = append(r.Cycles,
				CycleRow{Scheduler: "upstream-pack", Nodes: nodes, Fill: fill, NsPerPod: 300 * float64(nodes), AllocsPerPod: 1200, BytesPerPod: 1 << 17, Runs: 3, Spread: 0.08},
				CycleRow{Scheduler: "berth", Nodes: nodes, Fill: fill, NsPerPod: 60_000 + float64(nodes), AllocsPerPod: 260, BytesPerPod: 1 << 15, Runs: 3, Spread: 0.04},
				CycleRow{Scheduler: "floor", Nodes: nodes, Fill: fill, NsPerPod: 50_000, AllocsPerPod: 248, BytesPerPod: 1 << 15, Runs: 3, Spread: 0.05},
			)
		}
	}
	r.Gangs = []GangCycleRow{
		{Scheduler: "upstream-pack", Nodes: 2500, Pods: 1000, MsPerGang: 1500, MsPerCycle: 2000, Runs: 3, Spread: 0.1},
		{Scheduler: "berth", Nodes: 2500, Pods: 1000, MsPerGang: 30, MsPerCycle: 800, Runs: 3, Spread: 0.2},
	}
	r.Links = []LinkRow{
		{Machine: "hgx-h100", Nodes: 2500, Fill: "half", InTurn: InTurn{NsWithout: 40_000, NsWith: 42_000, Ratio: 1.05, Lower: 0.9, Upper: 1.2, Pairs: 200}},
		{Machine: "hgx-h100", Nodes: 2500, Fill: "empty", Gang: 1000, InTurn: InTurn{NsWithout: 3e7, NsWith: 3.21e7, Ratio: 1.07, Lower: 1, Upper: 1.125, Pairs: 10}},
	}
	r.Plans = []PlanRow{
		{Nodes: 2500, Fill: 50, Gang: 512, Feasible: true, MsP50: 1.25, MsP99: 2.5, MsMax: 3, Plans: 300},
		{Nodes: 2500, Fill: 90, Gang: 512, Required: "block", MsP50: 0.25, MsP99: 0.5, MsMax: 0.75, Plans: 300},
	}
	r.Topology = []TopologyRow{
		{Contestant: "upstream", Load: 70, Nodes: 16, Seeds: 5, Jobs: 1000, OfIdeal: 0.84, Least: 0.82, Greatest: 0.86, Ringless: 0.175, InUse: 0.69, Waited: 0.125},
		{Contestant: "berth", Load: 70, Nodes: 16, Seeds: 5, Jobs: 1000, OfIdeal: 0.995, Least: 0.99, Greatest: 1, Ringless: 0.005, InUse: 0.7, Waited: 0.02, Foreseen: new(0.98)},
	}
	r.Fragmentation = []FragmentationRow{
		{Contestant: "berth", Load: 85, Nodes: 2496, Racks: 78, Arrivals: 20_000, Gangs: 18_800, InOneRack: 0.9775, RacksPerSmallGang: 1.04, RacksPerGang: 1.31, Waited: 0.015, InUse: 0.8512, MsPerGang: new(3.24), MsP99: new(9.5)},
		{Contestant: "first-fit", Load: 85, Nodes: 2496, Racks: 78, Arrivals: 20_000, Gangs: 18_800, InOneRack: 0.25, RacksPerSmallGang: 3.5, RacksPerGang: 5.125, Waited: 0.015, InUse: 0.8512},
	}
	r.Scale = []ScaleSample{
		{Scenario: "start", Nodes: 2500, Scheduler: "upstream", Round: 1, Measures: []Measure{{"first binding s", 20}}},
		{Scenario: "start", Nodes: 2500, Scheduler: "berth", Round: 1, Measures: []Measure{{"first binding s", 6}}},
		{Scenario: "start", Nodes: 2500, Scheduler: "berth", Round: 2, Measures: []Measure{{"first binding s", 10}}},
		{Scenario: "start", Nodes: 2500, Scheduler: "berth", Round: 3, Failed: "it fell over"},
		{Scenario: "gangs", Nodes: 2500, Scheduler: "upstream", Round: 1, Measures: []Measure{{"pods/s", 0.25}}},
		{Scenario: "gangs", Nodes: 2500, Scheduler: "berth", Round: 1, Measures: []Measure{{"pods/s", 1000}}},
		{Scenario: "gangs", Nodes: 2500, Scheduler: "null", Round: 1, Measures: []Measure{{"pods/s", 0}}},
	}
	return r
}

func TestReadWhatIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "report.json")
	want := whole()
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The names are a format that other programs read.
func TestNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	r := Report{
		Environment:   Environment{Date: "d", Go: "g", Kubernetes: "k", Commit: "c", CPU: "u", CPUs: 1, MemoryGiB: 2},
		Perf:          []PerfRow{{Topic: "t", Scheduler: "s", RatioToNull: new(0.5)}},
		Quality:       []QualityRow{{Scheduler: "s", Nodes: 1, Seeds: 2, FreeNodes: 3, AtLeast: 4, Placed: 5}},
		Links:         []LinkRow{{Machine: "m", Nodes: 1, Fill: "f", InTurn: InTurn{NsWithout: 2, NsWith: 3, Ratio: 4, Lower: 5, Upper: 6, Pairs: 7}}},
		Admissions:    []AdmissionRow{{Queues: 1, Nodes: 2, Pending: 3, Pods: 4, PerSecond: 5, LeastPerSecond: 6, Gangs: 7, Seconds: 8}},
		Plans:         []PlanRow{{Nodes: 1, Fill: 2, Gang: 3, Required: "l", Feasible: true, MsP50: 4, MsP99: 5, MsMax: 6, Plans: 7}},
		Topology:      []TopologyRow{{Contestant: "c", Load: 1, Nodes: 2, Seeds: 3, Jobs: 4, OfIdeal: 5, Least: 6, Greatest: 7, Ringless: 8, InUse: 9, Waited: 10}},
		Fragmentation: []FragmentationRow{{Contestant: "c", Load: 1, Nodes: 2, Racks: 3, Arrivals: 4, Gangs: 5, InOneRack: 6, RacksPerSmallGang: 7, RacksPerGang: 8, Waited: 9, InUse: 10, MsPerGang: new(11.0), MsP99: new(12.0)}},
	}
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "environment": {
    "date": "d",
    "go": "g",
    "kubernetes": "k",
    "commit": "c",
    "cpu": "u",
    "cpus": 1,
    "memory_gib": 2
  },
  "rows": [
    {
      "topic": "t",
      "scheduler": "s",
      "nodes": 0,
      "pods": 0,
      "pods_per_second": 0,
      "cycle_us_p50": 0,
      "cycle_us_p99": 0,
      "cpu_seconds_per_1000_pods": 0,
      "peak_heap_mib": 0,
      "api_writes_per_pod": 0,
      "ratio_to_null": 0.5,
      "runs": 0,
      "spread": 0
    }
  ],
  "links": [
    {
      "machine": "m",
      "nodes": 1,
      "fill": "f",
      "ns_without": 2,
      "ns_with": 3,
      "ratio": 4,
      "lower_quartile": 5,
      "upper_quartile": 6,
      "pairs": 7
    }
  ],
  "quality": [
    {
      "scheduler": "s",
      "nodes": 1,
      "seeds": 2,
      "free_nodes": 3,
      "at_least": 4,
      "placed": 5
    }
  ],
  "plans": [
    {
      "nodes": 1,
      "fill": 2,
      "gang": 3,
      "required": "l",
      "feasible": true,
      "ms_p50": 4,
      "ms_p99": 5,
      "ms_max": 6,
      "plans": 7
    }
  ],
  "admissions": [
    {
      "queues": 1,
      "nodes": 2,
      "pending": 3,
      "pods": 4,
      "gangs_per_second": 5,
      "least_gangs_per_second": 6,
      "gangs": 7,
      "seconds": 8
    }
  ],
  "topology": [
    {
      "contestant": "c",
      "load": 1,
      "nodes": 2,
      "seeds": 3,
      "jobs": 4,
      "of_ideal": 5,
      "least": 6,
      "greatest": 7,
      "ringless": 8,
      "in_use": 9,
      "waited": 10
    }
  ],
  "fragmentation": [
    {
      "contestant": "c",
      "load": 1,
      "nodes": 2,
      "racks": 3,
      "arrivals": 4,
      "gangs": 5,
      "in_one_rack": 6,
      "racks_per_small_gang": 7,
      "racks_per_gang": 8,
      "waited": 9,
      "in_use": 10,
      "ms_per_gang": 11,
      "ms_p99": 12
    }
  ]
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadAndWriteSayWhatFailed(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "none.json")); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading ") {
		t.Errorf("a file that does not exist: %v", err)
	}
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"rows": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(broken); err == nil || !strings.Contains(err.Error(), "broken.json") {
		t.Errorf("a file of another form: %v", err)
	}
	r := Report{Perf: []PerfRow{{Spread: math.NaN()}}}
	if err := r.Write(filepath.Join(dir, "nan.json")); err == nil || !strings.HasPrefix(err.Error(), "writing ") {
		t.Errorf("a number that JSON does not have: %v", err)
	}
	if err := whole().Write(filepath.Join(broken, "report.json")); err == nil {
		t.Error("a file was written below a file")
	}
}

func TestRowsAreAList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := (Report{}).Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), `"rows": []`) {
		t.Errorf("without rows: %s", got)
	}
}
