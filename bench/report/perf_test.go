package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPerfRows(t *testing.T) {
	tests := []struct {
		name    string
		samples []PerfSample
		want    []PerfRow
	}{
		{"no samples", nil, nil},
		{
			"each amount has a median of its own",
			[]PerfSample{
				{Topic: "t", Scheduler: "berth", Nodes: 10, Pods: 7, PodsPerSecond: 100, CycleUsP50: 3, CycleUsP99: 20, CPUSecondsPer1000Pods: 0.1, PeakHeapMiB: 9, APIWritesPerPod: 1, AlgorithmMsPerGang: new(5.0)},
				{Topic: "t", Scheduler: "berth", Nodes: 10, Pods: 7, PodsPerSecond: 300, CycleUsP50: 1, CycleUsP99: 30, CPUSecondsPer1000Pods: 0.3, PeakHeapMiB: 7, APIWritesPerPod: 3},
				{Topic: "t", Scheduler: "berth", Nodes: 10, Pods: 7, PodsPerSecond: 200, CycleUsP50: 2, CycleUsP99: 10, CPUSecondsPer1000Pods: 0.2, PeakHeapMiB: 8, APIWritesPerPod: 2, AlgorithmMsPerGang: new(7.0)},
			},
			[]PerfRow{{
				Topic: "t", Scheduler: "berth", Nodes: 10, Pods: 7, PodsPerSecond: 200, CycleUsP50: 2, CycleUsP99: 20, CPUSecondsPer1000Pods: 0.2, PeakHeapMiB: 8, APIWritesPerPod: 2,
				AlgorithmMsPerGang: new(6.0), Runs: 3, Spread: 1,
			}},
		},
		{
			"ratios are of medians on the same topic and nodes, order is that of appearance",
			[]PerfSample{
				{Topic: "b", Scheduler: "upstream-pack", Nodes: 10, PodsPerSecond: 100},
				{Topic: "b", Scheduler: "berth", Nodes: 10, PodsPerSecond: 100},
				{Topic: "b", Scheduler: "null", Nodes: 10, PodsPerSecond: 400},
				{Topic: "b", Scheduler: "berth", Nodes: 20, PodsPerSecond: 50},
				{Topic: "a", Scheduler: "upstream", Nodes: 10, PodsPerSecond: 80},
				{Topic: "a", Scheduler: "berth", Nodes: 10, PodsPerSecond: 40},
				{Topic: "b", Scheduler: "upstream-pack", Nodes: 10, PodsPerSecond: 100},
				{Topic: "b", Scheduler: "berth", Nodes: 10, PodsPerSecond: 300},
			},
			[]PerfRow{
				{Topic: "b", Scheduler: "upstream-pack", Nodes: 10, PodsPerSecond: 100, RatioToUpstreamPack: new(1.0), RatioToNull: new(0.25), Runs: 2},
				{Topic: "b", Scheduler: "berth", Nodes: 10, PodsPerSecond: 200, RatioToUpstreamPack: new(2.0), RatioToNull: new(0.5), Runs: 2, Spread: 1},
				{Topic: "b", Scheduler: "null", Nodes: 10, PodsPerSecond: 400, RatioToUpstreamPack: new(4.0), RatioToNull: new(1.0), Runs: 1},
				{Topic: "b", Scheduler: "berth", Nodes: 20, PodsPerSecond: 50, Runs: 1},
				{Topic: "a", Scheduler: "upstream", Nodes: 10, PodsPerSecond: 80, RatioToUpstream: new(1.0), Runs: 1},
				{Topic: "a", Scheduler: "berth", Nodes: 10, PodsPerSecond: 40, RatioToUpstream: new(0.5), Runs: 1},
			},
		},
		{
			"failed samples count in nothing",
			[]PerfSample{
				{Topic: "t", Scheduler: "null", PodsPerSecond: 900, Failed: "timed out"},
				{Topic: "t", Scheduler: "berth", PodsPerSecond: 1, AlgorithmMsPerGang: new(1.0), Failed: "timed out"},
				{Topic: "t", Scheduler: "upstream", PodsPerSecond: 50},
				{Topic: "t", Scheduler: "berth", PodsPerSecond: 100},
			},
			[]PerfRow{
				{Topic: "t", Scheduler: "berth", PodsPerSecond: 100, RatioToUpstream: new(2.0), Runs: 1},
				{Topic: "t", Scheduler: "upstream", PodsPerSecond: 50, RatioToUpstream: new(1.0), Runs: 1},
			},
		},
		{
			"no ratio to nothing",
			[]PerfSample{
				{Topic: "t", Scheduler: "null", PodsPerSecond: 0},
				{Topic: "t", Scheduler: "berth", PodsPerSecond: 100},
			},
			[]PerfRow{
				{Topic: "t", Scheduler: "null", Runs: 1},
				{Topic: "t", Scheduler: "berth", PodsPerSecond: 100, Runs: 1},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, PerfRows(test.samples)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMedianAndSpread(t *testing.T) {
	tests := []struct {
		name           string
		values         []float64
		median, spread float64
	}{
		{"none", nil, 0, 0},
		{"one", []float64{3}, 3, 0},
		{"odd", []float64{9, 1, 4}, 4, 2},
		{"even", []float64{8, 2, 4, 6}, 5, 1.2},
		{"around zero", []float64{-1, 0, 1}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Median(test.values); got != test.median {
				t.Errorf("median is %v, want %v", got, test.median)
			}
			if got := Spread(test.values); got != test.spread {
				t.Errorf("spread is %v, want %v", got, test.spread)
			}
		})
	}
}
