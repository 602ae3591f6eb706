package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/berth-dev/berth/bench/report"
)

// say is how often a run says how far it is.
const say = 30 * time.Second

// runner is the run of one contestant.
type runner struct {
	*options
	contestant contestant
	gangs      []gang
	world      *world
	record     record
	environ    report.Environment
	log        io.Writer
	// begun is when the run began, with so many gangs placed; said and saved are when it
	// last said how far it is, and wrote it down.
	begun, said, saved time.Time
	before             int
}

// measure runs one contestant, and writes its record and the rows of all.
func (o *options) measure(c contestant, environment report.Environment, log io.Writer) error {
	r := &runner{options: o, contestant: c, gangs: o.params.stream(o.arrivals), environ: environment, log: log}
	r.record = record{Contestant: c.name, Params: o.params, Environment: environment}
	var was []placement
	if o.resume {
		old, _, err := readRecord(o.out, c.name)
		if err != nil {
			return err
		}
		if was = old.Placements; len(was) >= o.arrivals {
			fmt.Fprintf(log, "%-14s  %d gangs are placed already\n", c.name, len(was))
			return r.saveRows()
		}
	}
	var err error
	if r.world, err = newWorld(c, o.params); err != nil {
		return err
	}
	defer r.world.placer.stop()
	if err := r.world.replay(r.gangs, was); err != nil {
		return fmt.Errorf("continuing %q: %w", recordPath(o.out, c.name), err)
	}
	r.before, r.begun = len(was), time.Now()
	r.said, r.saved = r.begun, r.begun
	if err := r.world.live(r.gangs, r.more); err != nil {
		return err
	}
	r.progress()
	return r.save()
}

// more says how far the run is and writes it down, if it is time, and reports whether the
// run goes on.
func (r *runner) more() (bool, error) {
	now := time.Now()
	if now.Sub(r.said) >= say {
		r.said = now
		r.progress()
	}
	if now.Sub(r.saved) >= r.every {
		r.saved = now
		if err := r.save(); err != nil {
			return false, err
		}
	}
	return r.limit == 0 || now.Sub(r.begun) < r.limit, nil
}

// progress says how far the run is, and what is left of it.
func (r *runner) progress() {
	placed, took := len(r.world.history), time.Since(r.begun)
	each := took / time.Duration(max(placed-r.before, 1))
	row, _ := r.params.figures(r.contestant.name, r.gangs, r.world.history)
	fmt.Fprintf(r.log, "%-14s  %6d/%d gangs  %5.1f %% in one rack  %.2f racks a gang  wait %.3f  %.0f %% in use  %6.1f ms each  (%s, about %s left)\n",
		r.contestant.name, placed, r.arrivals, 100*row.InOneRack, row.RacksPerGang, row.Waited, 100*row.InUse, float64(each)/float64(time.Millisecond),
		took.Round(time.Second), (each * time.Duration(r.arrivals-placed)).Round(time.Second))
}

// save writes the record, and rows with it.
func (r *runner) save() error {
	r.record.Placements = r.world.history
	if err := r.record.write(r.out); err != nil {
		return err
	}
	return r.saveRows()
}

// saveRows writes the rows of all contestants that have a record.
func (r *runner) saveRows() error {
	records, err := readRecords(r.out, r.params)
	if err != nil {
		return err
	}
	return report.Report{Environment: r.environ, Fragmentation: r.params.rows(records)}.Write(r.out)
}

// prepare removes the records of other parameters that are about to be made anew. Any other
// of these would have no part in the rows, and is an error.
func (o *options) prepare() error {
	for _, c := range contestants {
		r, there, err := readRecord(o.out, c.name)
		if err != nil {
			return err
		}
		if !there || r.Params == o.params {
			continue
		}
		path := recordPath(o.out, c.name)
		if o.resume || !slices.Contains(o.contestants, c.name) {
			return fmt.Errorf("--out=%s: %q is of other parameters, %+v: write to another file, or remove it", o.out, path, r.Params)
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing %q, which is of other parameters: %w", path, err)
		}
	}
	return nil
}
