package report

// TopologyRow says what the devices are worth that jobs get, by who schedules them and
// who picks the devices.
type TopologyRow struct {
	Contestant string `json:"contestant"`
	// Load is how many GPUs are asked for in the mean, in percent of all.
	Load  int `json:"load"`
	Nodes int `json:"nodes"`
	// Jobs counts those that ask for more than one GPU, on all seeds together.
	Seeds int `json:"seeds"`
	Jobs  int `json:"jobs"`
	// OfIdeal is the mean over these of the ring bandwidth of the devices that a job got
	// over the best that there is for its size; Least and Greatest are those of a seed.
	OfIdeal  float64 `json:"of_ideal"`
	Least    float64 `json:"least"`
	Greatest float64 `json:"greatest"`
	// Ringless is the part of these whose devices have no ring of NVLinks.
	Ringless float64 `json:"ringless"`
	// InUse is the part of the GPUs that jobs hold in the mean, and Waited how long a job
	// waits in the mean, in mean run times.
	InUse  float64 `json:"in_use"`
	Waited float64 `json:"waited"`
	// Foreseen is the part of the jobs that got devices as good as the scheduler had
	// expected; nil for a scheduler that expects nothing, or decides itself.
	Foreseen *float64 `json:"foreseen,omitempty"`
}
