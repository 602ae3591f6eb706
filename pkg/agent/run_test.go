package agent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// fakeHardware plays a driver. Whoever waits for it gets what the test sends.
type fakeHardware struct {
	mu      sync.Mutex
	machine *report.Machine
	openErr error
	readErr error
	opened  int // opened and not closed
	reads   int

	faults chan []report.Fault
	errs   chan error
}

func newFakeHardware(m *report.Machine) *fakeHardware {
	return &fakeHardware{machine: m, faults: make(chan []report.Fault), errs: make(chan error)}
}

func (h *fakeHardware) Open() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.openErr == nil {
		h.opened++
	}
	return h.openErr
}

func (h *fakeHardware) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened--
}

func (h *fakeHardware) Read() (*report.Machine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if h.readErr != nil {
		return nil, h.readErr
	}
	return h.machine, nil
}

// Wait does not look at its limit: the clock is fake. It looks around now and then, so
// that the test's clock is seen.
func (h *fakeHardware) Wait(ctx context.Context, _ time.Duration) ([]report.Fault, error) {
	select {
	case f := <-h.faults:
		return f, nil
	case err := <-h.errs:
		return nil, err
	case <-ctx.Done():
	case <-time.After(time.Millisecond):
	}
	return nil, nil
}

func (h *fakeHardware) set(how func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	how()
}

// run runs the agent of a rig until the test ends, and checks that it ends too.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.agent.Run(ctx)
	}()
	r.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			r.Error("the agent does not end")
		}
	})
}

// eventually waits for something, and lets the fake clock go on meanwhile.
func (r *rig) eventually(what string, is func() bool) {
	r.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			r.Fatalf("waiting for %s in vain", what)
		}
		r.clock.Step(time.Second)
		select {
		case <-time.After(time.Millisecond): // a poll, bounded by the deadline
		case <-r.Context().Done():
		}
	}
}

func TestRun(t *testing.T) {
	h := newFakeHardware(machine(3))
	h.openErr = report.ErrNoDriver
	r := newRig(t, newFakeAPI(), h)
	r.run()

	r.eventually("the driver to be asked for twice", func() bool { return r.reads("failed") >= 2 })
	if r.api.topology(t) != nil {
		t.Error("something is reported without a driver")
	}
	h.set(func() { h.openErr = nil })
	r.eventually("devices", func() bool { return r.ready() == v1alpha1.ReasonReady })

	xid, _ := report.XidFault("g1", 79)
	h.faults <- []report.Fault{xid}
	r.eventually("the fault", func() bool { return len(r.api.topology(t).Status.Unhealthy) == 1 })

	h.set(func() { h.machine = machine(2) })
	r.eventually("the lost device", func() bool { return len(r.api.topology(t).Status.Unhealthy) == 2 })

	h.errs <- errors.New("waiting failed")
	before := h.readsNow()
	r.eventually("a read after a wait that failed", func() bool { return h.readsNow() > before })

	h.set(func() { h.readErr = errors.New("dead") })
	r.eventually("the driver's death", func() bool { return r.ready() == v1alpha1.ReasonDriverFailed })
	if n := len(r.api.topology(t).Spec.Devices); n != 3 {
		t.Errorf("%d devices are left, want 3", n)
	}
	h.set(func() { h.readErr = nil })
	r.eventually("its return", func() bool { return r.ready() == v1alpha1.ReasonReady })
	h.set(func() {
		if h.opened != 1 {
			t.Errorf("the driver is opened %d times, want once", h.opened)
		}
	})
}

func (h *fakeHardware) readsNow() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reads
}

// reads returns how many reads of the driver had a result.
func (r *rig) reads(result string) float64 {
	r.Helper()
	return r.metric("berth_agent_reads_total", map[string]string{"source": "driver", "result": result})
}

// metric returns the value of a metric.
func (r *rig) metric(name string, labels map[string]string) float64 {
	r.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	metrics:
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if labels[pair.GetName()] != pair.GetValue() {
					continue metrics
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	r.Fatalf("no metric %s %v", name, labels)
	return 0
}

func TestMetrics(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	r.read(machine(4), nil)
	xid, _ := report.XidFault("g1", 79)
	r.agent.take(t.Context(), reading{faults: []report.Fault{xid}})
	r.kubelet.say([]report.Held{holds("p", "g0"), holds("q", "g2", "g3")}, nil)
	r.tick(1)
	r.api.change(func() { r.api.fail = func(string) error { return errors.New("away") } })
	r.kubelet.say(nil, nil)
	success := float64(r.clock.Now().Unix())
	r.tick(1)
	for _, want := range []struct {
		name   string
		labels map[string]string
		value  float64
	}{
		{"berth_agent_devices", nil, 4},
		{"berth_agent_unhealthy_devices", map[string]string{"reason": "XidError"}, 1},
		{"berth_agent_unhealthy_devices", map[string]string{"reason": "Lost"}, 0},
		{"berth_agent_allocations", nil, 0},
		{"berth_agent_reads_total", map[string]string{"source": "driver", "result": "ok"}, 3},
		{"berth_agent_reads_total", map[string]string{"source": "kubelet", "result": "ok"}, 2},
		{"berth_agent_applies_total", map[string]string{"part": "spec", "result": "ok"}, 1},
		{"berth_agent_applies_total", map[string]string{"part": "status", "result": "ok"}, 1},
		{"berth_agent_applies_total", map[string]string{"part": "status", "result": "failed"}, 1},
		{"berth_agent_last_success_timestamp_seconds", nil, success},
	} {
		if got := r.metric(want.name, want.labels); got != want.value {
			t.Errorf("%s %v is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
}

func TestPages(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	pages := r.agent.Pages(r.registry)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, "berth_agent_devices 0") {
		t.Errorf("/metrics: %d, %s", code, body)
	}
	if code, body := get("/healthz"); code != 200 || !strings.Contains(body, "ok") {
		t.Errorf("/healthz: %d, %s", code, body)
	}
	r.clock.Step(10 * time.Minute)
	if code, body := get("/healthz"); code != 503 || !strings.Contains(body, "10m0s") {
		t.Errorf("/healthz of a loop that stands still: %d, %s", code, body)
	}
}
