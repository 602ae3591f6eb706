package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Report is what the benchmarks found on one machine.
type Report struct {
	Environment   Environment        `json:"environment"`
	Perf          []PerfRow          `json:"rows"`
	Cycles        []CycleRow         `json:"cycle,omitempty"`
	Gangs         []GangCycleRow     `json:"gangs,omitempty"`
	Links         []LinkRow          `json:"links,omitempty"`
	Quality       []QualityRow       `json:"quality,omitempty"`
	Plans         []PlanRow          `json:"plans,omitempty"`
	Queues        []QueueRow         `json:"queues,omitempty"`
	Admissions    []AdmissionRow     `json:"admissions,omitempty"`
	Refusals      []RefusalRow       `json:"refusals,omitempty"`
	QueuePairs    []QueuePairRow     `json:"queue_pairs,omitempty"`
	Topology      []TopologyRow      `json:"topology,omitempty"`
	Fragmentation []FragmentationRow `json:"fragmentation,omitempty"`
	Scale         []ScaleSample      `json:"scale,omitempty"`
}

// Environment is the machine and the code of a run.
type Environment struct {
	// Date is when the run began, as in RFC 3339.
	Date       string  `json:"date"`
	Go         string  `json:"go"`
	Kubernetes string  `json:"kubernetes"`
	Commit     string  `json:"commit"`
	CPU        string  `json:"cpu"`
	CPUs       int     `json:"cpus"`
	MemoryGiB  float64 `json:"memory_gib"`
}

// QualityRow says how well a scheduler packs the pods of random workloads, one for each
// seed.
type QualityRow struct {
	Scheduler string `json:"scheduler"`
	Nodes     int    `json:"nodes"`
	Seeds     int    `json:"seeds"`
	// FreeNodes is the mean number of nodes that are wholly free at the end.
	FreeNodes float64 `json:"free_nodes"`
	// AtLeast is on how many seeds it leaves at least as many as upstream-pack.
	AtLeast int `json:"at_least"`
	// Placed is the mean number of pods placed.
	Placed float64 `json:"placed"`
}

// Read reads a report, or the part of one, from a JSON file. Fields that it does not
// know are dropped. A file that does not exist is fs.ErrNotExist.
func Read(path string) (Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	return r, nil
}

// Write writes the report as JSON to path, in a directory that is made if need be.
func (r Report) Write(path string) error {
	if r.Perf == nil {
		r.Perf = []PerfRow{} // "rows" is a list for every reader, an empty one too
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return write(path, append(data, '\n'))
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return nil
}
