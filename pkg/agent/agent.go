package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

const (
	// kubeletPatience is how long the kubelet may fail before that is reported: it
	// restarts within it.
	kubeletPatience = 30 * time.Second
	// driverPatience is how long nothing may be heard of the driver before it counts as
	// one that hangs.
	driverPatience = 5 * time.Minute
	// requestTimeout bounds what the API server is asked in one step.
	requestTimeout = 30 * time.Second
	// firstRetry and lastRetry are how long a request that failed waits: twice as long
	// each time, up to the last, and up to a half more by chance.
	firstRetry = time.Second
	lastRetry  = 2 * time.Minute
	// resyncJitter is the part of the resync interval by which it varies, either way.
	resyncJitter = 0.2
	// stopPatience is how long the end waits for the driver.
	stopPatience = 10 * time.Second
)

// The least intervals.
const (
	MinPollInterval   = time.Second
	MinResyncInterval = time.Minute
)

// Options say what an agent reports, and how often.
type Options struct {
	Node report.Node
	// PollInterval is how often the kubelet is asked; changes between two polls are one
	// write.
	PollInterval time.Duration
	// ResyncInterval is how often the object is compared with what it should be.
	ResyncInterval time.Duration
}

// Sources are what an agent reads and writes.
type Sources struct {
	Hardware   Hardware
	Kubelet    Kubelet
	Topologies Topologies
	Nodes      Getter
	Clock      clock.WithTicker
	// Random returns numbers from 0 to below 1.
	Random func() float64
	// Registerer takes the metrics.
	Registerer prometheus.Registerer
}

// Agent reports the devices of one node.
type Agent struct {
	options   Options
	hardware  Hardware
	kubelet   Kubelet
	publisher *publisher
	clock     clock.WithTicker
	random    func() float64
	metrics   *metrics
	troubles  troubles
	// readAgain has room for one wish that the hardware be read soon.
	readAgain chan struct{}
	// beat is when the loop last went round, in nanoseconds since 1970.
	beat atomic.Int64

	// What follows belongs to the loop.

	driver driverState
	// held is what the kubelet last said, kubeletErr how it fails since kubeletWell.
	held        []report.Held
	kubeletErr  error
	kubeletWell time.Time
	// asked says that the kubelet has answered once.
	asked bool

	// previous is what is reported, loaded whether the API server was asked for it.
	previous *v1alpha1.NodeTopology
	loaded   bool
	resyncAt time.Time
	retryAt  time.Time
	retry    time.Duration
}

// driverState is what the driver told.
type driverState struct {
	heard   bool
	at      time.Time
	machine *report.Machine
	err     error
	parts   map[string]string
	// events are faults that are in no report yet.
	events []report.Fault
}

// New returns an agent, or says what is wrong with the options.
func New(o Options, s Sources) (*Agent, error) {
	switch {
	case o.Node.Name == "":
		return nil, errors.New("the name of the node is missing")
	case o.Node.Resource == "":
		return nil, errors.New("the resource is missing")
	case o.PollInterval < MinPollInterval:
		return nil, fmt.Errorf("a poll interval of %s is too short; the least is %s", o.PollInterval, MinPollInterval)
	case o.ResyncInterval < MinResyncInterval:
		return nil, fmt.Errorf("a resync interval of %s is too short; the least is %s", o.ResyncInterval, MinResyncInterval)
	}
	m := newMetrics(s.Registerer)
	a := &Agent{
		options:  o,
		hardware: s.Hardware,
		kubelet:  s.Kubelet,
		publisher: &publisher{
			node:       o.Node.Name,
			topologies: s.Topologies,
			nodes:      s.Nodes,
			metrics:    m,
		},
		clock:     s.Clock,
		random:    s.Random,
		metrics:   m,
		troubles:  troubles{},
		readAgain: make(chan struct{}, 1),
	}
	a.beat.Store(a.clock.Now().UnixNano())
	return a, nil
}

// Run reports until the context is done. It returns when the driver is closed, or does
// not let itself be closed.
func (a *Agent) Run(ctx context.Context) {
	readings := make(chan reading)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		a.watchHardware(ctx, readings)
	}()
	a.begin()
	ticker := a.clock.NewTicker(a.options.PollInterval)
	defer ticker.Stop()
	a.poll(ctx)
	for ctx.Err() == nil {
		a.beat.Store(a.clock.Now().UnixNano())
		a.step(ctx)
		select {
		case r := <-readings:
			a.take(ctx, r)
		case <-ticker.C():
			a.poll(ctx)
		case <-ctx.Done():
		}
	}
	late := a.clock.NewTimer(stopPatience)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C():
	}
}

// begin counts patience from now on.
func (a *Agent) begin() {
	a.kubeletWell = a.clock.Now()
	a.driver.at = a.kubeletWell
}

// take notes what the driver told.
func (a *Agent) take(ctx context.Context, r reading) {
	d := &a.driver
	d.at = a.clock.Now()
	if len(r.faults) > 0 {
		for _, f := range r.faults {
			d.add(f)
		}
		return
	}
	d.heard, d.machine, d.err = true, r.machine, r.err
	if r.machine != nil {
		d.parts = r.machine.Parts
	}
	a.metrics.reads.WithLabelValues(ofDriver, result(r.err)).Inc()
	a.troubles.set(ctx, "the driver", r.err)
}

// add keeps the first of several faults that have one reason.
func (d *driverState) add(fault report.Fault) {
	for _, known := range d.events {
		if known.UUID == fault.UUID && known.Reason == fault.Reason {
			return
		}
	}
	d.events = append(d.events, fault)
}

// poll asks the kubelet.
func (a *Agent) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.options.PollInterval)
	defer cancel()
	held, err := a.kubelet.List(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	a.metrics.reads.WithLabelValues(ofKubelet, result(err)).Inc()
	a.troubles.set(ctx, "the kubelet", err)
	a.kubeletErr = err
	if err != nil {
		return
	}
	a.held, a.asked, a.kubeletWell = held, true, a.clock.Now()
	if len(report.UnknownParts(a.options.Node.Resource, a.driver.parts, held)) > 0 {
		select {
		case a.readAgain <- struct{}{}:
		default:
		}
	}
}

// findings returns what is known; false while it is too early to say.
func (a *Agent) findings() (report.Findings, bool) {
	now := a.clock.Now()
	f := report.Findings{
		Now:       now,
		Machine:   a.driver.machine,
		DriverErr: a.driver.err,
		Parts:     a.driver.parts,
		Events:    a.driver.events,
		Held:      a.held,
	}
	ready := a.driver.heard
	if silence := now.Sub(a.driver.at); silence > driverPatience {
		f.Machine, f.DriverErr, ready = nil, fmt.Errorf("the driver has not answered for %s", driverPatience), true
	}
	if a.kubeletErr != nil && now.Sub(a.kubeletWell) > kubeletPatience {
		f.KubeletErr = a.kubeletErr
	} else if !a.asked {
		return f, false
	}
	return f, ready
}

// step decides what is to be reported, and sees to it that the API server has it. It
// does nothing while a request that failed waits.
func (a *Agent) step(ctx context.Context) {
	now := a.clock.Now()
	found, ready := a.findings()
	if !ready || now.Before(a.retryAt) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := a.report(ctx, now, found)
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	a.troubles.set(ctx, "the API server", err)
	if err != nil {
		a.retry = min(max(2*a.retry, firstRetry), lastRetry)
		a.retryAt = now.Add(a.retry + time.Duration(a.random()*float64(a.retry)/2))
		return
	}
	a.retry, a.retryAt = 0, time.Time{}
	a.metrics.success.Set(float64(now.UnixMilli()) / 1000)
}

func (a *Agent) report(ctx context.Context, now time.Time, found report.Findings) error {
	if !a.loaded || !now.Before(a.resyncAt) {
		server, err := a.publisher.load(ctx)
		if err != nil {
			return err
		}
		// While the agent runs, it knows best, unless it was told to forget.
		if !a.loaded || server == nil {
			a.previous = server
		}
		a.loaded = true
		spread := 1 + resyncJitter*(2*a.random()-1)
		a.resyncAt = now.Add(time.Duration(float64(a.options.ResyncInterval) * spread))
	}
	next, notes := report.Next(a.options.Node, a.previous, found)
	a.troubles.note(ctx, "what was found", notes)
	a.metrics.reported(next)
	if next == nil {
		return nil
	}
	a.previous, a.driver.events = next, nil
	err := a.publisher.publish(ctx, next)
	if errors.Is(err, errGone) {
		a.previous = nil
	}
	return err
}
