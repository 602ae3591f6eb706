package report

// FragmentationRow says over how many racks gangs are spread, by who schedules them.
type FragmentationRow struct {
	Contestant string `json:"contestant"`
	// Load is how many nodes are asked for in the mean, in percent of all. Racks are as
	// large as each other.
	Load  int `json:"load"`
	Nodes int `json:"nodes"`
	Racks int `json:"racks"`
	// Arrivals is how many gangs have come and were placed, the first of a stream. Gangs
	// are those of them that count: they came when the cluster was full.
	Arrivals int `json:"arrivals"`
	Gangs    int `json:"gangs"`
	// InOneRack is the part of the gangs that are in one rack, of those that a rack can
	// hold. The racks of a gang are means over these, and over all.
	InOneRack         float64 `json:"in_one_rack"`
	RacksPerSmallGang float64 `json:"racks_per_small_gang"`
	RacksPerGang      float64 `json:"racks_per_gang"`
	// Waited is how long a gang waits in the mean, in mean run times, and InUse the part of
	// the nodes that gangs hold in the mean.
	Waited float64 `json:"waited"`
	InUse  float64 `json:"in_use"`
	// MsPerGang is the search for places for all pods of a gang, in milliseconds: the
	// median, and what 99 % stay within. Both are nil without a scheduler.
	MsPerGang *float64 `json:"ms_per_gang,omitempty"`
	MsP99     *float64 `json:"ms_p99,omitempty"`
}
