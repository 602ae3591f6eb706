package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/berth-dev/berth/bench/report"
)

// part is what one benchmark has written, if it has.
type part struct {
	name  string
	there bool
	of    report.Report
}

// combine makes a report of the results and writes it.
func (o *options) combine(out io.Writer) error {
	var parts []part
	for _, name := range []string{"perf.json", "cycle.json", "plans.json", "queues.json", "topology.json", "fragmentation.json", "scale.json"} {
		r, there, err := readIfThere(filepath.Join(o.in, name))
		if err != nil {
			return err
		}
		parts = append(parts, part{name, there, r})
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return p.there }) {
		return fmt.Errorf("--in=%s: there is neither perf.json nor cycle.json nor plans.json nor queues.json nor topology.json nor fragmentation.json nor scale.json: run make bench, make bench-cycle, make bench-topology, make bench-fragmentation or make bench-scale first", o.in)
	}
	all := merge(parts[0].of, parts[1].of, parts[2].of, parts[3].of, parts[4].of, parts[5].of, parts[6].of)
	for _, p := range parts {
		if commit := p.of.Environment.Commit; p.there && commit != all.Environment.Commit {
			fmt.Fprintf(out, "beware: %s is of commit %q; the report says %q\n", p.name, commit, all.Environment.Commit)
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

// merge takes from each what it measures; plans and queues that were measured alone come
// before those of a whole run of cycle. The environment is that of the first that says one.
func merge(perf, cycle, plans, queues, topology, fragmentation, scale report.Report) report.Report {
	if len(plans.Plans) == 0 {
		plans.Plans = cycle.Plans
	}
	if len(queues.Queues) == 0 {
		queues.Queues = cycle.Queues
	}
	if len(queues.QueuePairs) == 0 {
		queues.QueuePairs = cycle.QueuePairs
	}
	return report.Report{
		Environment: cmp.Or(perf.Environment, cycle.Environment, plans.Environment, queues.Environment, topology.Environment, fragmentation.Environment, scale.Environment),
		Perf:        perf.Perf, Cycles: cycle.Cycles, Gangs: cycle.Gangs, Links: cycle.Links, Quality: cycle.Quality, Plans: plans.Plans, Queues: queues.Queues, QueuePairs: queues.QueuePairs,
		Topology: topology.Topology, Fragmentation: fragmentation.Fragmentation, Scale: scale.Scale,
	}
}

func readIfThere(path string) (r report.Report, there bool, err error) {
	r, err = report.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return report.Report{}, false, nil
	}
	return r, err == nil, err
}
