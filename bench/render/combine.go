package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/berth-dev/berth/bench/report"
)

// combine makes a report of the results and writes it.
func (o *options) combine(out io.Writer) error {
	perf, hasPerf, err := readIfThere(filepath.Join(o.in, "perf.json"))
	if err != nil {
		return err
	}
	cycle, hasCycle, err := readIfThere(filepath.Join(o.in, "cycle.json"))
	if err != nil {
		return err
	}
	if !hasPerf && !hasCycle {
		return fmt.Errorf("--in=%s: there is neither perf.json nor cycle.json: run make bench or make bench-cycle first", o.in)
	}
	if a, b := perf.Environment.Commit, cycle.Environment.Commit; hasPerf && hasCycle && a != b {
		fmt.Fprintf(out, "beware: perf.json is of commit %q and cycle.json of %q; the report says the first\n", a, b)
	}
	all := merge(perf, cycle)
	data, page := filepath.Join(o.out, "report.json"), filepath.Join(o.out, "report.html")
	if err := all.Write(data); err != nil {
		return err
	}
	if err := all.WritePage(page); err != nil {
		return err
	}
	fmt.Fprintln(out, "written:", data)
	fmt.Fprintln(out, "written:", page)
	return nil
}

// merge takes whole runs from perf and what is measured without an API server from
// cycle. The environment is that of perf, if it says one.
func merge(perf, cycle report.Report) report.Report {
	all := report.Report{Environment: perf.Environment, Perf: perf.Perf, Cycles: cycle.Cycles, Gangs: cycle.Gangs, Quality: cycle.Quality}
	if all.Environment == (report.Environment{}) {
		all.Environment = cycle.Environment
	}
	return all
}

func readIfThere(path string) (r report.Report, there bool, err error) {
	r, err = report.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return report.Report{}, false, nil
	}
	return r, err == nil, err
}
