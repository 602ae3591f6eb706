package report

// PerfSample says how one run of one scheduler against an API server went.
type PerfSample struct {
	// Topic is the workload.
	Topic     string `json:"topic"`
	Scheduler string `json:"scheduler"`
	Nodes     int    `json:"nodes"`
	// Pods is how many the scheduler was to bind.
	Pods int `json:"pods"`
	// PodsPerSecond are the pods bound, over the time from when the scheduler is let
	// loose on them to the last binding.
	PodsPerSecond float64 `json:"pods_per_second"`
	// CycleUsP50 and CycleUsP99 are quantiles of a scheduling cycle in microseconds.
	CycleUsP50 float64 `json:"cycle_us_p50"`
	CycleUsP99 float64 `json:"cycle_us_p99"`
	// CPUSecondsPer1000Pods is the CPU time of the process, whatever runs in it.
	CPUSecondsPer1000Pods float64 `json:"cpu_seconds_per_1000_pods"`
	PeakHeapMiB           float64 `json:"peak_heap_mib"`
	// APIWritesPerPod are the scheduler's writes to the API server, bindings included.
	APIWritesPerPod float64 `json:"api_writes_per_pod"`
	// AlgorithmMsPerGang is the search for places for a whole gang, in milliseconds;
	// nil for a workload without gangs.
	AlgorithmMsPerGang *float64 `json:"algorithm_ms_per_gang,omitempty"`
	// Failed says why the run is not counted; empty if it is.
	Failed string `json:"failed,omitempty"`
}

// PerfRow is what the runs of one scheduler on one workload come to. Amounts are
// medians over the runs, with the units of PerfSample.
type PerfRow struct {
	Topic                 string  `json:"topic"`
	Scheduler             string  `json:"scheduler"`
	Nodes                 int     `json:"nodes"`
	Pods                  int     `json:"pods"`
	PodsPerSecond         float64 `json:"pods_per_second"`
	CycleUsP50            float64 `json:"cycle_us_p50"`
	CycleUsP99            float64 `json:"cycle_us_p99"`
	CPUSecondsPer1000Pods float64 `json:"cpu_seconds_per_1000_pods"`
	PeakHeapMiB           float64 `json:"peak_heap_mib"`
	APIWritesPerPod       float64 `json:"api_writes_per_pod"`
	// The ratios are those of PodsPerSecond to that of another scheduler on the same
	// topic and nodes; nil where the run has no such row.
	RatioToUpstreamPack *float64 `json:"ratio_to_upstream_pack,omitempty"`
	RatioToUpstream     *float64 `json:"ratio_to_upstream,omitempty"`
	RatioToNull         *float64 `json:"ratio_to_null,omitempty"`
	AlgorithmMsPerGang  *float64 `json:"algorithm_ms_per_gang,omitempty"`
	// Runs are those that count.
	Runs int `json:"runs"`
	// Spread is (greatest - least) / median of PodsPerSecond.
	Spread float64 `json:"spread"`
}

// perfGroup is what makes samples runs of the same thing.
type perfGroup struct {
	topic, scheduler string
	nodes            int
}

// PerfRows returns a row for each topic, scheduler and number of nodes, in the order in
// which they first appear. Failed samples do not count; where all failed there is no
// row.
func PerfRows(samples []PerfSample) []PerfRow {
	var order []perfGroup
	seen := map[perfGroup]bool{}
	counted := map[perfGroup][]PerfSample{}
	for _, s := range samples {
		group := perfGroup{s.Topic, s.Scheduler, s.Nodes}
		if !seen[group] {
			seen[group] = true
			order = append(order, group)
		}
		if s.Failed == "" {
			counted[group] = append(counted[group], s)
		}
	}
	var rows []PerfRow
	for _, group := range order {
		if runs := counted[group]; len(runs) > 0 {
			rows = append(rows, perfRow(runs))
		}
	}
	relate(rows)
	return rows
}

// perfRow returns the row of runs, of which there is one at least, without ratios.
func perfRow(runs []PerfSample) PerfRow {
	each := func(amount func(PerfSample) float64) []float64 {
		var values []float64
		for _, s := range runs {
			values = append(values, amount(s))
		}
		return values
	}
	var gangs []float64
	for _, s := range runs {
		if s.AlgorithmMsPerGang != nil {
			gangs = append(gangs, *s.AlgorithmMsPerGang)
		}
	}
	rates := each(func(s PerfSample) float64 { return s.PodsPerSecond })
	row := PerfRow{
		Topic: runs[0].Topic, Scheduler: runs[0].Scheduler, Nodes: runs[0].Nodes, Pods: runs[0].Pods,
		PodsPerSecond:         Median(rates),
		CycleUsP50:            Median(each(func(s PerfSample) float64 { return s.CycleUsP50 })),
		CycleUsP99:            Median(each(func(s PerfSample) float64 { return s.CycleUsP99 })),
		CPUSecondsPer1000Pods: Median(each(func(s PerfSample) float64 { return s.CPUSecondsPer1000Pods })),
		PeakHeapMiB:           Median(each(func(s PerfSample) float64 { return s.PeakHeapMiB })),
		APIWritesPerPod:       Median(each(func(s PerfSample) float64 { return s.APIWritesPerPod })),
		Runs:                  len(runs),
		Spread:                Spread(rates),
	}
	if len(gangs) > 0 {
		row.AlgorithmMsPerGang = new(Median(gangs))
	}
	return row
}

// relate fills the ratios of rows.
func relate(rows []PerfRow) {
	rate := map[perfGroup]float64{}
	for _, row := range rows {
		rate[perfGroup{row.Topic, row.Scheduler, row.Nodes}] = row.PodsPerSecond
	}
	for i := range rows {
		row := &rows[i]
		to := func(scheduler string) *float64 {
			other := rate[perfGroup{row.Topic, scheduler, row.Nodes}]
			if other == 0 {
				return nil
			}
			return new(row.PodsPerSecond / other)
		}
		row.RatioToUpstreamPack = to("upstream-pack")
		row.RatioToUpstream = to("upstream")
		row.RatioToNull = to("null")
	}
}
