package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"
	schedulermetrics "k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/berth-dev/berth/bench/report"
)

const (
	// settle is how long a run goes on after its last bind. Writes are counted a
	// little earlier: the server is up then.
	settle       = 2 * time.Second
	beforeCount  = 1500 * time.Millisecond
	heapInterval = 50 * time.Millisecond
	heapMetric   = "/memory/classes/heap/objects:bytes"
)

// meter measures from when the scheduler is let loose to its last bind.
type meter struct {
	// pods are measured, in so many gangs.
	pods, gangs int
	// profile is where a CPU profile of what is measured is written, "" for none.
	profile string
	// ended is closed after the last bind, once everything was read.
	ended chan struct{}

	mu         sync.Mutex
	began      time.Time
	bound      int
	cycles     []time.Duration
	cycle      time.Time
	processor  time.Duration
	writes     float64
	algorithm  float64
	profiling  *os.File
	last       time.Time
	peak       uint64
	failed     error
	apiWrites  float64
	perGang    *float64
	cpuSeconds float64
}

func newMeter(n sizes, profile string) *meter {
	gangs := 0
	if n.gang > 0 {
		gangs = n.pods / n.gang
	}
	return &meter{pods: n.pods, gangs: gangs, profile: profile, ended: make(chan struct{})}
}

// begin begins to measure.
func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if m.writes, err = schedulerWrites(); err != nil {
		m.failed = err
	}
	m.algorithm = searching(&m.failed)
	if m.profile != "" {
		if m.profiling, err = os.Create(m.profile); err == nil {
			err = pprof.StartCPUProfile(m.profiling)
		}
		if err != nil {
			m.failed = fmt.Errorf("writing the CPU profile: %w", err)
		}
	}
	// What making the pods has left is not the scheduler's to clean up.
	runtime.GC()
	go m.watchHeap()
	m.processor = processorTime(&m.failed)
	m.began = time.Now()
}

// cycleBegan and cycleEnded are called by the scheduling loop.
func (m *meter) cycleBegan(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cycle = now
}

func (m *meter) cycleEnded(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.began.IsZero() && m.last.IsZero() && !m.cycle.Before(m.began) {
		m.cycles = append(m.cycles, now.Sub(m.cycle))
	}
}

// podBound takes in the bind of a measured pod.
func (m *meter) podBound() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bound++; m.bound != m.pods {
		return
	}
	m.last = time.Now()
	m.cpuSeconds = (processorTime(&m.failed) - m.processor).Seconds()
	if m.profiling != nil {
		pprof.StopCPUProfile()
		if err := m.profiling.Close(); err != nil {
			m.failed = fmt.Errorf("writing the CPU profile: %w", err)
		}
	}
	if m.gangs > 0 {
		m.perGang = new((searching(&m.failed) - m.algorithm) / float64(m.gangs) * 1000)
	}
	time.AfterFunc(beforeCount, m.end)
}

func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	writes, err := schedulerWrites()
	if err != nil {
		m.failed = err
	}
	m.apiWrites = writes - m.writes
	close(m.ended)
}

// watchHeap keeps the largest heap until the last bind.
func (m *meter) watchHeap() {
	ticker := time.NewTicker(heapInterval)
	defer ticker.Stop()
	sample := []metrics.Sample{{Name: heapMetric}}
	for {
		metrics.Read(sample)
		m.mu.Lock()
		m.peak = max(m.peak, sample[0].Value.Uint64())
		over := !m.last.IsZero()
		m.mu.Unlock()
		if over {
			return
		}
		<-ticker.C
	}
}

// sample returns what was measured, once the run is over.
func (m *meter) sample() (report.PerfSample, error) {
	select {
	case <-m.ended:
	default:
		return report.PerfSample{}, fmt.Errorf("measuring: %d of %d pods were bound", m.bound, m.pods)
	}
	if m.failed != nil {
		return report.PerfSample{}, m.failed
	}
	slices.Sort(m.cycles)
	at := func(part float64) float64 {
		if len(m.cycles) == 0 {
			return 0
		}
		return float64(m.cycles[int(part*float64(len(m.cycles)-1))].Nanoseconds()) / 1000
	}
	pods := float64(m.pods)
	return report.PerfSample{
		Pods: m.pods, PodsPerSecond: pods / m.last.Sub(m.began).Seconds(),
		CycleUsP50: at(0.5), CycleUsP99: at(0.99),
		CPUSecondsPer1000Pods: m.cpuSeconds / pods * 1000,
		PeakHeapMiB:           float64(m.peak) / (1 << 20),
		APIWritesPerPod:       m.apiWrites / pods,
		AlgorithmMsPerGang:    m.perGang,
	}, nil
}

// processorTime is what this process has used of the processors.
func processorTime(failed *error) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		*failed = fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// searching is for how many seconds places for gangs were looked for, however often for
// one gang.
func searching(failed *error) float64 {
	seconds, err := testutil.GetHistogramMetricValue(schedulermetrics.PodGroupSchedulingAlgorithmLatency.ObserverMetric)
	if err != nil {
		*failed = fmt.Errorf("reading the metric of gangs: %w", err)
	}
	return seconds
}

// schedulerWrites is how many requests the API server has had that only a scheduler
// makes: binds, events, and statuses of pods and pod groups.
func schedulerWrites() (float64, error) {
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		return 0, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	var writes float64
	for _, family := range families {
		if family.GetName() != "apiserver_request_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch labels["verb"] {
			case "POST", "PUT", "PATCH", "APPLY":
			default:
				continue
			}
			switch labels["resource"] + "/" + labels["subresource"] {
			case "pods/binding", "pods/status", "events/", "podgroups/status":
				writes += m.GetCounter().GetValue()
			}
		}
	}
	return writes, nil
}
