package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	_ "k8s.io/component-base/logs/json/register" // the harness names this format
	"k8s.io/kubernetes/pkg/scheduler"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
	"k8s.io/kubernetes/test/utils/client-go/ktesting"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/schedulers"
)

// single is one run.
type single struct {
	topic, scheduler string
	small            bool
	// out is where the sample is written, profile where a CPU profile is, if any.
	out, profile string
}

// run runs a topic with a scheduler in this process, which it ends.
func (s single) run() error {
	t, err := find(s.topic)
	if err != nil {
		return err
	}
	n := t.sizes(s.scheduler, s.small)
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(gates(t, s.scheduler)); err != nil {
		return fmt.Errorf("setting the feature gates: %w", err)
	}
	who, err := schedulers.New(s.scheduler, &roundRobin{nodes: n.nodes})
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.out)
	file, err := workload(dir, t, n, who)
	if err != nil {
		return err
	}
	// The harness is a benchmark of package testing, with its flags.
	os.Args = []string{os.Args[0], "-test.bench=.", "-test.benchtime=1x", "-data-items-dir=" + filepath.Join(dir, "data")}
	testing.Init()
	if err := perf.InitTests(); err != nil {
		return fmt.Errorf("setting the harness up: %w", err)
	}
	benchmark := func(b *testing.B) {
		m := newMeter(n, s.profile)
		attached := false
		perf.RunBenchmarkPerfScheduling(b, file, t.name, who.Plugins, perf.WithNodeUpdateFn(
			func(ctx ktesting.TContext, sched *scheduler.Scheduler, _ *perf.Workload, nodes *corev1.NodeList) error {
				if attached {
					return errors.New("nodes were made twice")
				}
				attached = true
				if err := who.Attach(sched); err != nil {
					return err
				}
				record(sched, s.scheduler, m)
				hold(ctx, sched, n.pods, m)
				return nil
			}))
		sample, err := m.sample()
		if err != nil {
			b.Fatal(err)
		}
		sample.Topic, sample.Scheduler, sample.Nodes = t.name, s.scheduler, n.nodes
		if err := s.write(sample); err != nil {
			b.Fatal(err)
		}
	}
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, nil, []testing.InternalBenchmark{{Name: "Perf", F: benchmark}}, nil)
	return nil
}

func (s single) write(sample report.PerfSample) error {
	data, err := json.Marshal(sample)
	if err != nil {
		return fmt.Errorf("rendering the sample: %w", err)
	}
	if err := os.WriteFile(s.out, data, 0o644); err != nil {
		return fmt.Errorf("writing the sample: %w", err)
	}
	return nil
}

// roundRobin gives out nodes by turns. Nobody asks whether they have room: the API server
// does not either.
type roundRobin struct{ nodes, at int }

// Next returns the next node.
func (t *roundRobin) Next(*corev1.Pod) (string, error) {
	t.at++
	return fmt.Sprintf("node-%d", t.at%t.nodes), nil
}
