// Package report holds the results of the benchmarks and what is made of them: a JSON
// file, a page with plots, and the tables of a README. It measures nothing.
//
// A benchmark run gives samples; PerfRows makes rows of them: medians, the spread
// (greatest - least) / median, and ratios of medians to other schedulers of the same
// run. A Report is all rows of a run with the machine they are from. Read and Write
// keep it as JSON, Page renders it, and FillTables puts its tables into a markdown text.
// All but Read, Write and WritePage are pure.
//
// Files: perf.go (rows against an API server), cycles.go (rows without one), plans.go (rows on
// plans), topology.go
// (rows on how GPUs are linked), fragmentation.go (rows on racks), median.go (median and
// spread), report.go (the report as JSON), tables.go (which columns the tables have),
// markdown.go (tables as markdown, and their places in a text), number.go (rounding),
// plot.go (where a plot's parts stand), page.go and page.html.tmpl (the page).
package report
