package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/bench/report"
)

// options are the flags.
type options struct {
	scenarios, contenders []string
	builds                map[string]string
	nodes                 []int
	podsPerNode, rounds   int
	small, fresh          bool
	reasonsFor            time.Duration
	out, profiles         string
}

// scenario is something that is measured.
type scenario struct {
	name, what string
	// filled says that pods are on the nodes already.
	filled bool
	// blind says that null takes part.
	blind bool
	// berth says that only builds of Berth take part.
	berth bool
	run   func(context.Context, *world, contender) ([]report.Measure, error)
}

// scenarios are in the order in which they run.
var scenarios = []scenario{
	{name: "backlog", what: "5,000 pods that were made before the scheduler starts", blind: true, run: backlog},
	{name: "gangs", what: "1,000 gangs of 4 pods at once, while the scheduler runs", blind: true, run: gangs},
	{name: "racks", what: "64 gangs of 16 pods of 8 GPUs, each to be in one rack", blind: true, run: racks},
	{name: "spike", what: "a Deployment goes from 0 to 5,000 pods", blind: true, run: spike},
	{name: "start", what: "from the start of the process to the first binding, on a filled cluster", filled: true, run: start},
	{name: "takeover", what: "from when a standby has the lease to its first binding", filled: true, run: takeover},
	{name: "events", what: "what it costs to watch events that change no decision", filled: true, run: events},
	{name: "reasons", what: "why 2,000 gangs wait: what it costs to tell them, and to ask", filled: true, berth: true, run: reasons},
	{name: "losses", what: "from the loss of a pod, or of a node, to the binding of what takes its place", filled: true, berth: true, run: losses},
	{name: "pending", what: "500 gangs that fit, alone and behind 10,000 pods that fit nowhere", filled: true, run: pending},
}

// one is one run.
type one struct {
	scenario  scenario
	nodes     int
	contender contender
	round     int
}

// run measures everything that was not measured yet.
func (o *options) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	found, err := o.before()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "berth-scale-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	contenders, err := o.contendersOf(ctx, dir)
	if err != nil {
		return err
	}
	r := &runner{options: o, report: found, began: time.Now()}
	for _, nodes := range o.nodes {
		r.planned = append(r.planned, o.plan(nodes, contenders, found.Scale)...)
	}
	say("%d runs", len(r.planned))
	for _, nodes := range o.nodes {
		if err := r.cluster(ctx, nodes); err != nil {
			return err
		}
	}
	fmt.Println(report.ScaleTable(r.report.Scale))
	fmt.Println("written:", o.out)
	if r.failed > 0 {
		return fmt.Errorf("%d runs failed; run the same command again to try them once more", r.failed)
	}
	return nil
}

// before reads what was measured by a run that was stopped. What failed is tried again.
func (o *options) before() (report.Report, error) {
	fresh := report.Report{Environment: report.Here()}
	if o.fresh {
		return fresh, nil
	}
	found, err := report.Read(o.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fresh, nil
	case err != nil:
		return report.Report{}, err
	case found.Environment.Commit != fresh.Environment.Commit:
		return report.Report{}, fmt.Errorf("%s was measured with commit %q, and this is %q: give another --out, or --fresh to forget it", o.out, found.Environment.Commit, fresh.Environment.Commit)
	}
	found.Scale = slices.DeleteFunc(found.Scale, func(s report.ScaleSample) bool { return s.Failed != "" })
	return found, nil
}

// plan returns the runs on a cluster that are left, in their order.
func (o *options) plan(nodes int, contenders []contender, done []report.ScaleSample) []one {
	var out []one
	for _, s := range scenarios {
		if !slices.Contains(o.scenarios, s.name) {
			continue
		}
		for round := 1; round <= o.rounds; round++ {
			for _, c := range contenders {
				measured := slices.ContainsFunc(done, func(d report.ScaleSample) bool {
					return d.Scenario == s.name && d.Nodes == nodes && d.Scheduler == c.name && d.Round == round
				})
				if !measured && (c.name != null || s.blind) && (c.isBerth() || !s.berth) {
					out = append(out, one{s, nodes, c, round})
				}
			}
		}
	}
	return out
}

// runner runs what is planned.
type runner struct {
	*options
	report       report.Report
	planned      []one
	done, failed int
	began        time.Time
}

// cluster makes a cluster and runs what is planned on it.
func (r *runner) cluster(ctx context.Context, nodes int) error {
	here := slices.DeleteFunc(slices.Clone(r.planned), func(o one) bool { return o.nodes != nodes })
	if len(here) == 0 {
		return nil
	}
	w, err := newWorld(ctx, nodes, r.options)
	if err != nil {
		return err
	}
	defer w.Stop()
	filled := false
	for _, o := range here {
		if o.scenario.filled && !filled {
			filled = true
			if err := w.fill(ctx, r.podsPerNode); err != nil {
				return err
			}
		}
		if err := r.single(ctx, w, o); err != nil {
			return err
		}
	}
	return nil
}

// single runs one run, and writes what was measured.
func (r *runner) single(ctx context.Context, w *world, o one) error {
	limited, cancel := context.WithTimeoutCause(ctx, runPatience, fmt.Errorf("not done after %s", runPatience))
	defer cancel()
	began := time.Now()
	sample := report.ScaleSample{Scenario: o.scenario.name, Nodes: o.nodes, Scheduler: o.contender.name, Round: o.round}
	var err error
	sample.Measures, err = o.scenario.run(limited, w, o.contender)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.failed++
		sample.Failed = err.Error()
	}
	r.report.Scale = append(r.report.Scale, sample)
	if err := r.report.Write(r.out); err != nil {
		return err
	}
	r.done++
	elapsed := time.Since(r.began)
	left := elapsed / time.Duration(r.done) * time.Duration(len(r.planned)-r.done)
	say("%3d/%d  %-8s %6d nodes  %-10s round %d  %s  (%s; %s in all, about %s left)", r.done, len(r.planned), o.scenario.name, o.nodes, o.contender.name, o.round,
		line(sample), time.Since(began).Round(time.Second), elapsed.Round(time.Second), left.Round(time.Second))
	if err := w.clean(ctx); err != nil {
		return err
	}
	return nil
}

// line is a sample in one line.
func line(s report.ScaleSample) string {
	if s.Failed != "" {
		return "FAILED: " + s.Failed
	}
	var parts []string
	for _, m := range s.Measures {
		parts = append(parts, fmt.Sprintf("%s %.4g", m.Name, m.Value))
	}
	return strings.Join(parts, ", ")
}
