package main

import (
	"cmp"
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
	topology, hasTopology, err := readIfThere(filepath.Join(o.in, "topology.json"))
	if err != nil {
		return err
	}
	if !hasPerf && !hasCycle && !hasTopology {
		return fmt.Errorf("--in=%s: there is neither perf.json nor cycle.json nor topology.json: run make bench, make bench-cycle or make bench-topology first", o.in)
	}
	all := merge(perf, cycle, topology)
	for _, part := range []struct {
		name  string
		there bool
		of    report.Report
	}{{"perf.json", hasPerf, perf}, {"cycle.json", hasCycle, cycle}, {"topology.json", hasTopology, topology}} {
		if commit := part.of.Environment.Commit; part.there && commit != all.Environment.Commit {
			fmt.Fprintf(out, "beware: %s is of commit %q; the report says %q\n", part.name, commit, all.Environment.Commit)
		}
	}
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

// merge takes from each what it measures. The environment is that of the first that says
// one.
func merge(perf, cycle, topology report.Report) report.Report {
	return report.Report{
		Environment: cmp.Or(perf.Environment, cycle.Environment, topology.Environment),
		Perf:        perf.Perf, Cycles: cycle.Cycles, Gangs: cycle.Gangs, Links: cycle.Links, Quality: cycle.Quality,
		Topology: topology.Topology,
	}
}

func readIfThere(path string) (r report.Report, there bool, err error) {
	r, err = report.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return report.Report{}, false, nil
	}
	return r, err == nil, err
}
