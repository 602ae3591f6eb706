package report

// kind is what a column holds, and so how it is shown.
type kind string

const (
	figures   kind = "figures" // to the right
	words     kind = "words"   // to the left
	scheduler kind = "scheduler"
)

// column is a column of a table with a row for each T.
type column[T any] struct {
	head string
	kind kind
	cell func(T) string
}

// table is a table as text, for markdown and for the page.
type table struct {
	Heads []cell
	Rows  [][]cell
}

type cell struct {
	Text string
	Kind kind
}

func tabulate[T any](rows []T, columns []column[T]) table {
	var out table
	for _, c := range columns {
		out.Heads = append(out.Heads, cell{c.head, c.kind})
	}
	for _, row := range rows {
		var cells []cell
		for _, c := range columns {
			cells = append(cells, cell{c.cell(row), c.kind})
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

// perfTable has the columns that the question of speed needs, and all if full. Nodes are
// named if full, or if the rows differ in them.
func perfTable(rows []PerfRow, full bool) table {
	type one = column[PerfRow]
	columns := []one{{"topic", words, func(r PerfRow) string { return r.Topic }}}
	differ := false
	for _, r := range rows {
		differ = differ || r.Nodes != rows[0].Nodes
	}
	if full || differ {
		columns = append(columns, one{"nodes", figures, func(r PerfRow) string { return count(r.Nodes) }})
	}
	if full {
		columns = append(columns, one{"pods", figures, func(r PerfRow) string { return count(r.Pods) }})
	}
	columns = append(columns,
		one{"scheduler", scheduler, func(r PerfRow) string { return r.Scheduler }},
		one{"pods/s", figures, func(r PerfRow) string { return number(r.PodsPerSecond, 0) }},
		one{"spread", figures, func(r PerfRow) string { return percent(r.Spread) }},
		one{"of upstream-pack", figures, func(r PerfRow) string { return maybe(r.RatioToUpstreamPack, 2) }},
	)
	if full {
		columns = append(columns, one{"of upstream", figures, func(r PerfRow) string { return maybe(r.RatioToUpstream, 2) }})
	}
	columns = append(columns,
		one{"of null", figures, func(r PerfRow) string { return maybe(r.RatioToNull, 2) }},
		one{"cycle p50 / p99 µs", figures, func(r PerfRow) string { return number(r.CycleUsP50, 0) + " / " + number(r.CycleUsP99, 0) }},
		one{"CPU s per 1,000 pods", figures, func(r PerfRow) string { return number(r.CPUSecondsPer1000Pods, 2) }},
		one{"API writes a pod", figures, func(r PerfRow) string { return number(r.APIWritesPerPod, 2) }},
		one{"algorithm ms a gang", figures, func(r PerfRow) string { return maybe(r.AlgorithmMsPerGang, 1) }},
	)
	if full {
		columns = append(columns,
			one{"peak heap MiB", figures, func(r PerfRow) string { return number(r.PeakHeapMiB, 0) }},
			one{"runs", figures, func(r PerfRow) string { return count(r.Runs) }},
		)
	}
	return tabulate(rows, columns)
}

// cycleTable has a row for each fill, number of nodes and scheduler. "Of its smallest"
// is the time over its own on the smallest cluster as full.
func cycleTable(rows []CycleRow, full bool) table {
	all := Cycles{Cycles: rows}
	type one = column[CycleRow]
	columns := []one{
		{"fill", words, func(r CycleRow) string { return r.Fill }},
		{"nodes", figures, func(r CycleRow) string { return count(r.Nodes) }},
		{"scheduler", scheduler, func(r CycleRow) string { return r.Scheduler }},
		{"µs a pod", figures, func(r CycleRow) string { return number(r.NsPerPod/1000, 1) }},
		{"of upstream-pack", figures, func(r CycleRow) string { return maybe(all.Relate(r).ToUpstreamPack, 3) }},
		{"of its smallest", figures, func(r CycleRow) string { return maybe(all.Relate(r).ToSmallest, 2) }},
		{"allocations", figures, func(r CycleRow) string { return number(r.AllocsPerPod, 0) }},
		{"over floor", figures, func(r CycleRow) string { return signed(all.Relate(r).AllocsOverFloor, 0) }},
	}
	if full {
		columns = append(columns,
			one{"KiB", figures, func(r CycleRow) string { return number(r.BytesPerPod/1024, 0) }},
			one{"spread", figures, func(r CycleRow) string { return percent(r.Spread) }},
			one{"runs", figures, func(r CycleRow) string { return count(r.Runs) }},
		)
	}
	return tabulate(rows, columns)
}

// gangTable has a row for each gang and scheduler.
func gangTable(rows []GangCycleRow, full bool) table {
	type one = column[GangCycleRow]
	pack := func(r GangCycleRow) *float64 {
		for _, other := range rows {
			if other.Scheduler == "upstream-pack" && other.Nodes == r.Nodes && other.Pods == r.Pods {
				return new(r.MsPerGang / other.MsPerGang)
			}
		}
		return nil
	}
	columns := []one{
		{"pods of the gang", figures, func(r GangCycleRow) string { return count(r.Pods) }},
		{"nodes", figures, func(r GangCycleRow) string { return count(r.Nodes) }},
		{"scheduler", scheduler, func(r GangCycleRow) string { return r.Scheduler }},
		{"ms a gang", figures, func(r GangCycleRow) string { return number(r.MsPerGang, 1) }},
		{"spread", figures, func(r GangCycleRow) string { return percent(r.Spread) }},
		{"of upstream-pack", figures, func(r GangCycleRow) string { return maybe(pack(r), 3) }},
		{"ms of the cycle", figures, func(r GangCycleRow) string { return number(r.MsPerCycle, 1) }},
	}
	if full {
		columns = append(columns, one{"runs", figures, func(r GangCycleRow) string { return count(r.Runs) }})
	}
	return tabulate(rows, columns)
}

// qualityTable has a row for each scheduler.
func qualityTable(rows []QualityRow) table {
	return tabulate(rows, []column[QualityRow]{
		{"nodes", figures, func(r QualityRow) string { return count(r.Nodes) }},
		{"scheduler", scheduler, func(r QualityRow) string { return r.Scheduler }},
		{"pods placed", figures, func(r QualityRow) string { return number(r.Placed, 1) }},
		{"nodes wholly free", figures, func(r QualityRow) string { return number(r.FreeNodes, 1) }},
		{"at least upstream-pack's", figures, func(r QualityRow) string { return count(r.AtLeast) + " of " + count(r.Seeds) + " seeds" }},
	})
}

// linkTable has a row for each cluster, and for each gang on it.
func linkTable(rows []LinkRow) table {
	return tabulate(rows, append([]column[LinkRow]{
		{"machine", words, func(r LinkRow) string { return r.Machine }},
		{"fill", words, func(r LinkRow) string { return r.Fill }},
		{"nodes", figures, func(r LinkRow) string { return count(r.Nodes) }},
		{"what", words, func(r LinkRow) string {
			if r.Gang > 0 {
				return "gang of " + count(r.Gang)
			}
			return "one pod"
		}},
	}, inTurn(func(r LinkRow) InTurn { return r.InTurn })...))
}

// inTurn are the columns of what was measured in turn.
func inTurn[R any](of func(R) InTurn) []column[R] {
	return []column[R]{
		{"µs without", figures, func(r R) string { return number(of(r).NsWithout/1000, 1) }},
		{"µs with", figures, func(r R) string { return number(of(r).NsWith/1000, 1) }},
		{"with over without", figures, func(r R) string { return number(of(r).Ratio, 3) }},
		{"quartiles", figures, func(r R) string { return number(of(r).Lower, 3) + " and " + number(of(r).Upper, 3) }},
		{"pairs", figures, func(r R) string { return count(of(r).Pairs) }},
	}
}

// planTable has a row for each cluster and gang.
func planTable(rows []PlanRow) table {
	return tabulate(rows, []column[PlanRow]{
		{"nodes", figures, func(r PlanRow) string { return count(r.Nodes) }},
		{"in use", figures, func(r PlanRow) string { return count(r.Fill) + " %" }},
		{"pods of the gang", figures, func(r PlanRow) string { return count(r.Gang) }},
		{"requires", words, func(r PlanRow) string {
			if r.Required == "" {
				return none
			}
			return r.Required
		}},
		{"answer", words, func(r PlanRow) string {
			if r.Feasible {
				return "a place"
			}
			return "why there is none"
		}},
		{"p50 ms", figures, func(r PlanRow) string { return number(r.MsP50, 2) }},
		{"p99 ms", figures, func(r PlanRow) string { return number(r.MsP99, 2) }},
		{"longest ms", figures, func(r PlanRow) string { return number(r.MsMax, 2) }},
		{"plans", figures, func(r PlanRow) string { return count(r.Plans) }},
	})
}

// queueTable has a row for each number of queues.
func queueTable(rows []QueueRow) table {
	return tabulate(rows, []column[QueueRow]{
		{"queues", figures, func(r QueueRow) string { return countOrNone(r.Queues) }},
		{"nodes", figures, func(r QueueRow) string { return count(r.Nodes) }},
		{"gangs that wait", figures, func(r QueueRow) string { return count(r.Pending) }},
		{"first placed, s", figures, func(r QueueRow) string { return number(r.FirstSeconds, 1) }},
		{"all known, s", figures, func(r QueueRow) string { return number(r.CompleteSeconds, 1) }},
		{"gangs/s", figures, func(r QueueRow) string { return number(r.PerSecond, 0) }},
		{"in the worst second", figures, func(r QueueRow) string { return number(r.LeastPerSecond, 0) }},
		{"processor µs a gang", figures, func(r QueueRow) string { return number(r.ProcessorUs, 0) }},
		{"choice p50 / p99 / longest µs", figures, func(r QueueRow) string {
			if r.Choices == 0 {
				return none
			}
			return number(r.UsP50, 1) + " / " + number(r.UsP99, 1) + " / " + number(r.UsMax, 0)
		}},
	})
}

// admissionTable has a row for each crowd.
func admissionTable(rows []AdmissionRow) table {
	return tabulate(rows, []column[AdmissionRow]{
		{"queues", figures, func(r AdmissionRow) string { return countOrNone(r.Queues) }},
		{"nodes", figures, func(r AdmissionRow) string { return count(r.Nodes) }},
		{"gangs that wait", figures, func(r AdmissionRow) string { return count(r.Pending) }},
		{"pods a gang", figures, func(r AdmissionRow) string { return count(r.Pods) }},
		{"gangs/s", figures, func(r AdmissionRow) string { return number(r.PerSecond, 0) }},
		{"in the worst second", figures, func(r AdmissionRow) string { return number(r.LeastPerSecond, 0) }},
		{"gangs", figures, func(r AdmissionRow) string { return count(r.Gangs) }},
	})
}

// countOrNone is count, of what may be none.
func countOrNone(n int) string {
	if n == 0 {
		return none
	}
	return count(n)
}

// queuePairTable has a row for each cluster.
func queuePairTable(rows []QueuePairRow) table {
	return tabulate(rows, append([]column[QueuePairRow]{
		{"queues", figures, func(r QueuePairRow) string { return count(r.Queues) }},
		{"fill", words, func(r QueuePairRow) string { return r.Fill }},
		{"nodes", figures, func(r QueuePairRow) string { return count(r.Nodes) }},
	}, inTurn(func(r QueuePairRow) InTurn { return r.InTurn })...))
}

// topologyTable has a row for each load and contestant.
func topologyTable(rows []TopologyRow) table {
	return tabulate(rows, []column[TopologyRow]{
		{"load", figures, func(r TopologyRow) string { return count(r.Load) + " %" }},
		{"contestant", scheduler, func(r TopologyRow) string { return r.Contestant }},
		{"of ideal bandwidth", figures, func(r TopologyRow) string { return number(r.OfIdeal, 3) }},
		{"least and greatest seed", figures, func(r TopologyRow) string { return number(r.Least, 3) + " and " + number(r.Greatest, 3) }},
		{"jobs on PCIe", figures, func(r TopologyRow) string { return number(100*r.Ringless, 1) + " %" }},
		{"foreseen", figures, func(r TopologyRow) string {
			if r.Foreseen == nil {
				return none
			}
			return percent(*r.Foreseen)
		}},
		{"GPUs in use", figures, func(r TopologyRow) string { return percent(r.InUse) }},
		{"wait", figures, func(r TopologyRow) string { return number(r.Waited, 2) }},
	})
}

// fragmentationTable has a row for each contestant and number of arrivals.
func fragmentationTable(rows []FragmentationRow) table {
	return tabulate(rows, []column[FragmentationRow]{
		{"load", figures, func(r FragmentationRow) string { return count(r.Load) + " %" }},
		{"arrivals", figures, func(r FragmentationRow) string { return count(r.Arrivals) }},
		{"contestant", scheduler, func(r FragmentationRow) string { return r.Contestant }},
		{"in one rack", figures, func(r FragmentationRow) string { return number(100*r.InOneRack, 1) + " %" }},
		{"racks a gang", figures, func(r FragmentationRow) string {
			return number(r.RacksPerSmallGang, 2) + " / " + number(r.RacksPerGang, 2)
		}},
		{"wait", figures, func(r FragmentationRow) string { return number(r.Waited, 3) }},
		{"nodes in use", figures, func(r FragmentationRow) string { return number(100*r.InUse, 1) + " %" }},
		{"ms a gang", figures, func(r FragmentationRow) string { return maybe(r.MsPerGang, 1) }},
	})
}
