package report

// QueueRow says how gangs of queues are admitted and placed by the whole of Berth, which an
// API server in memory tells of them.
type QueueRow struct {
	// Queues is how many Queue objects there are; 0 for none.
	Queues int `json:"queues"`
	Nodes  int `json:"nodes"`
	// Pending is how many gangs wait at every time, and Pods how many pods each has.
	Pending int `json:"pending"`
	Pods    int `json:"pods"`
	// FirstSeconds is the time from when everything is there to be listed until the first gang
	// is bound, and CompleteSeconds until all gangs are known to their queues.
	FirstSeconds    float64 `json:"first_seconds"`
	CompleteSeconds float64 `json:"complete_seconds"`
	// PerSecond is how many gangs were admitted and bound a second, over Seconds, and
	// LeastPerSecond how many in the second with the fewest.
	PerSecond      float64 `json:"gangs_per_second"`
	LeastPerSecond float64 `json:"least_gangs_per_second"`
	Seconds        float64 `json:"seconds"`
	// ProcessorUs is the time on processors for a gang, of all threads of the process.
	ProcessorUs float64 `json:"processor_us_per_gang"`
	// Choices is how often it was chosen who is admitted. The times are those of one choice, in
	// microseconds: the median, what 99 % stay within, and the longest.
	Choices int     `json:"choices"`
	UsP50   float64 `json:"choice_us_p50"`
	UsP99   float64 `json:"choice_us_p99"`
	UsMax   float64 `json:"choice_us_max"`
}

// AdmissionRow says how many gangs of queues the scheduling loop admits: from when a gang is let
// in until its pods are assumed and their bindings begin. What follows from that is not timed.
type AdmissionRow struct {
	// Queues to Pods are as in QueueRow.
	Queues  int `json:"queues"`
	Nodes   int `json:"nodes"`
	Pending int `json:"pending"`
	Pods    int `json:"pods"`
	// PerSecond is how many gangs were admitted a second, of Gangs in Seconds of the loop, and
	// LeastPerSecond how many in the second of the loop with the fewest.
	PerSecond      float64 `json:"gangs_per_second"`
	LeastPerSecond float64 `json:"least_gangs_per_second"`
	Gangs          int     `json:"gangs"`
	Seconds        float64 `json:"seconds"`
}

// QueuePairRow says what the cycle of a pod costs more where there are queues, measured in
// turn with one where there are none.
type QueuePairRow struct {
	Queues int    `json:"queues"`
	Nodes  int    `json:"nodes"`
	Fill   string `json:"fill"`
	InTurn
}
