package report

// RefusalRow says what it costs that gangs fit nowhere, and those that fit of another
// namespace, which come with them.
type RefusalRow struct {
	Scheduler string `json:"scheduler"`
	Nodes     int    `json:"nodes"`
	// Hopeless is how many gangs fit nowhere, Fitting how many of the other namespace fit, and
	// Pods how many pods each has.
	Hopeless int `json:"hopeless"`
	Fitting  int `json:"fitting"`
	Pods     int `json:"pods"`
	// Placed is how many of those that fit were bound, and Tried how many of the others were
	// tried, in Refusals tries, until Seconds after all came.
	Placed   int     `json:"placed"`
	Tried    int     `json:"tried"`
	Refusals int     `json:"refusals"`
	Seconds  float64 `json:"seconds"`
	// SecondsP50 and SecondsP99 are after how long half, and 99 %, of those were bound that were.
	SecondsP50 float64 `json:"seconds_p50"`
	SecondsP99 float64 `json:"seconds_p99"`
	// LoopUs is how long the scheduling loop works for a try that was refused, with what was placed
	// meanwhile.
	LoopUs float64 `json:"loop_us_per_refusal"`
	// ProcessorUs is the time on processors for a try that was refused, of all threads of the
	// process, with what was placed meanwhile.
	ProcessorUs float64 `json:"processor_us_per_refusal"`
}

// RefusalTable renders rows in Markdown.
func RefusalTable(rows []RefusalRow) string { return refusalTable(rows).markdown() }

// refusalTable has a row for each scheduler.
func refusalTable(rows []RefusalRow) table {
	return tabulate(rows, []column[RefusalRow]{
		{"scheduler", scheduler, func(r RefusalRow) string { return r.Scheduler }},
		{"nodes", figures, func(r RefusalRow) string { return count(r.Nodes) }},
		{"gangs that fit nowhere", figures, func(r RefusalRow) string { return count(r.Hopeless) }},
		{"that fit", figures, func(r RefusalRow) string { return count(r.Fitting) }},
		{"of them placed", figures, func(r RefusalRow) string { return count(r.Placed) }},
		{"p50 s", figures, func(r RefusalRow) string { return number(r.SecondsP50, 2) }},
		{"p99 s", figures, func(r RefusalRow) string { return number(r.SecondsP99, 2) }},
		{"refusals", figures, func(r RefusalRow) string { return count(r.Refusals) }},
		{"loop µs a refusal", figures, func(r RefusalRow) string { return number(r.LoopUs, 0) }},
		{"processor µs a refusal", figures, func(r RefusalRow) string { return number(r.ProcessorUs, 0) }},
	})
}
