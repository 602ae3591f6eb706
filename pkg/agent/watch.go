package agent

import (
	"context"
	"time"

	"github.com/berth-dev/berth/pkg/agent/report"
)

const (
	// readInterval is how often the hardware is read. A read makes some hundred calls
	// to the driver, which take milliseconds together.
	readInterval = time.Minute
	// soon is when it is read after a fault, or when the kubelet names a part that is
	// not known: a device that fails tells of many faults.
	soon = 5 * time.Second
	// waitLimit bounds one wait for faults, and so how long the end of the agent takes.
	waitLimit = 5 * time.Second
	// reopenInterval is how often a driver that fails is tried again.
	reopenInterval = 15 * time.Second
)

// reading is what the hardware's goroutine tells the loop: faults, or a machine, or
// why there is none.
type reading struct {
	faults  []report.Fault
	machine *report.Machine
	err     error
}

// watchHardware opens, reads and waits until the context is done. It tells all that it
// learns, each error included: silence means that the driver hangs.
func (a *Agent) watchHardware(ctx context.Context, readings chan<- reading) {
	tell := func(r reading) {
		select {
		case readings <- r:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		if err := a.hardware.Open(); err != nil {
			tell(reading{err: err})
			a.pause(ctx, reopenInterval)
			continue
		}
		err := a.readAndWait(ctx, tell)
		a.hardware.Close()
		if err != nil {
			tell(reading{err: err})
			a.pause(ctx, reopenInterval)
		}
	}
}

// readAndWait reads the hardware every so often, and waits for faults in between. It
// returns nil when the context is done, or why the hardware cannot be read.
func (a *Agent) readAndWait(ctx context.Context, tell func(reading)) error {
	for ctx.Err() == nil {
		machine, err := a.hardware.Read()
		if err != nil {
			return err
		}
		tell(reading{machine: machine})
		next := a.clock.Now().Add(readInterval)
		hasten := func() {
			if early := a.clock.Now().Add(soon); early.Before(next) {
				next = early
			}
		}
		for ctx.Err() == nil && a.clock.Now().Before(next) {
			faults, err := a.hardware.Wait(ctx, min(waitLimit, next.Sub(a.clock.Now())))
			switch {
			case err != nil:
				// The next read tells whether the driver as a whole has failed.
				hasten()
				a.pause(ctx, soon)
			case len(faults) > 0:
				tell(reading{faults: faults})
				hasten()
			}
			select {
			case <-a.readAgain:
				hasten()
			default:
			}
		}
	}
	return nil
}

// pause waits, or until the context is done.
func (a *Agent) pause(ctx context.Context, d time.Duration) {
	timer := a.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
	}
}
