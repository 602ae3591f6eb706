package report

// CycleRow says what one scheduling cycle costs, without an API server.
type CycleRow struct {
	Scheduler string `json:"scheduler"`
	Nodes     int    `json:"nodes"`
	// Fill is how full the cluster is: empty, half or full.
	Fill string `json:"fill"`
	// The amounts are a pod's, medians over the runs.
	NsPerPod     float64 `json:"ns_per_pod"`
	AllocsPerPod float64 `json:"allocs_per_pod"`
	BytesPerPod  float64 `json:"bytes_per_pod"`
	Runs         int     `json:"runs"`
	// Spread is (greatest - least) / median of the time.
	Spread float64 `json:"spread"`
}

// GangCycleRow says what the cycle of one gang costs, without an API server.
type GangCycleRow struct {
	Scheduler string `json:"scheduler"`
	Nodes     int    `json:"nodes"`
	Pods      int    `json:"pods"`
	// MsPerGang is the search for places for all pods of the gang, in milliseconds, and
	// MsPerCycle the whole cycle, in which the pods are assumed as well.
	MsPerGang  float64 `json:"ms_per_gang"`
	MsPerCycle float64 `json:"ms_per_cycle"`
	Runs       int     `json:"runs"`
	Spread     float64 `json:"spread"`
}

// LinkRow says what a cycle costs more where it is known how the devices of nodes are
// linked: berth-topology beside berth, in turn.
type LinkRow struct {
	// Machine is the model of every node.
	Machine string `json:"machine"`
	Nodes   int    `json:"nodes"`
	Fill    string `json:"fill"`
	// Gang is how many pods the gang has whose cycle is timed; 0 for the cycle of one pod.
	Gang int `json:"gang,omitempty"`
	InTurn
}

// InTurn is what was found of cycles with something and without it, which were measured in
// turn.
type InTurn struct {
	// NsWithout and NsWith are times on processors, medians over all pairs.
	NsWithout float64 `json:"ns_without"`
	NsWith    float64 `json:"ns_with"`
	// Ratio is the median of with over without, of two that were measured one after the
	// other. Lower and Upper are the quartiles.
	Ratio float64 `json:"ratio"`
	Lower float64 `json:"lower_quartile"`
	Upper float64 `json:"upper_quartile"`
	Pairs int     `json:"pairs"`
}

// Cycles are all rows of one run of the cycle benchmark.
type Cycles struct {
	Cycles []CycleRow     `json:"cycle"`
	Gangs  []GangCycleRow `json:"gangs,omitempty"`
}

// Relative is a row beside others of its run; nil where there is no such row.
type Relative struct {
	// ToUpstreamPack is the time over that of upstream-pack on the same cluster.
	ToUpstreamPack *float64
	// ToSmallest is the time over its own on the smallest cluster as full.
	ToSmallest *float64
	// AllocsOverFloor are the allocations beyond those of floor on the same cluster.
	AllocsOverFloor *float64
}

// Relate sets a row beside the others.
func (c Cycles) Relate(row CycleRow) Relative {
	var out Relative
	smallest := row
	for _, other := range c.Cycles {
		if other.Fill != row.Fill {
			continue
		}
		if other.Scheduler == row.Scheduler && other.Nodes < smallest.Nodes {
			smallest = other
		}
		if other.Nodes != row.Nodes {
			continue
		}
		switch other.Scheduler {
		case "upstream-pack":
			out.ToUpstreamPack = new(row.NsPerPod / other.NsPerPod)
		case "floor":
			out.AllocsOverFloor = new(row.AllocsPerPod - other.AllocsPerPod)
		}
	}
	if smallest.Nodes < row.Nodes {
		out.ToSmallest = new(row.NsPerPod / smallest.NsPerPod)
	}
	return out
}
