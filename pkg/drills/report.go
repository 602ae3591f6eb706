package drills

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// HalfBoundLimit is how long a gang may be half bound, beyond the time that the API was away:
// the scheduler's --gang-grace-period, after which it takes such a gang's nodes from it. There is
// room for each gang of a drill, so none is to come to that.
const HalfBoundLimit = time.Minute

// A Report is what came of the drills, and where and when they were played.
type Report struct {
	Date time.Time
	// Machine, Versions, Heartbeat and Tolerates say under which conditions.
	Machine, Versions    string
	Heartbeat, Tolerates time.Duration
	Outcomes             []Outcome
}

// An Outcome is what came of one drill. Times are since the fault was begun, zero if there was no
// such instant.
type Outcome struct {
	Name, Title, Does string
	Seen, Told, Whole time.Duration
	// Lost are pods that ran and do not, and Work the GPU-seconds that they had run.
	Lost int
	Work time.Duration
	// HalfBound is the longest that a gang was, and Away how long the API did not answer.
	HalfBound, Away time.Duration
	// Broken are invariants that did not hold, and Failed says why the drill did not end as it should.
	Broken []string
	Failed string
	// Timeline is what was done, and what Berth said of it.
	Timeline []Moment
}

// A Moment is something that happened in a drill.
type Moment struct {
	At   time.Duration
	What string
}

// Err says which drills did not end as they should.
func (r *Report) Err() error {
	var all error
	for _, o := range r.Outcomes {
		if wrong := o.wrong(); wrong != "" {
			all = errors.Join(all, fmt.Errorf("drill %s: %s", o.Name, wrong))
		}
	}
	return all
}

// wrong says in a sentence what was, "" if nothing was.
func (o Outcome) wrong() string {
	var said []string
	if o.Failed != "" {
		said = append(said, o.Failed)
	}
	return strings.Join(append(said, o.Broken...), "; ")
}
