package report

// PlanRow says what it costs to plan a gang of pods that take whole nodes and prefer a rack,
// on a cluster that changes a little between plans: the plan alone, without a scheduler.
type PlanRow struct {
	Nodes int `json:"nodes"`
	// Fill is how much of the devices is taken, in percent.
	Fill int `json:"fill"`
	Gang int `json:"gang"`
	// Required is the level that the gang requires; empty if it requires none.
	Required string `json:"required,omitempty"`
	// Feasible says that every plan found a place. If it is false, none did: what is timed
	// is the reason.
	Feasible bool `json:"feasible"`
	// The times are in milliseconds: the median, what 99 % stay within, and the longest.
	MsP50 float64 `json:"ms_p50"`
	MsP99 float64 `json:"ms_p99"`
	MsMax float64 `json:"ms_max"`
	Plans int     `json:"plans"`
}
