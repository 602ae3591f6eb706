package main

import (
	"os"
	"strings"
	"testing"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/localcluster"
)

// A run is a process of its own: this program, called as it calls itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "single" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The small variant of each topic runs with Berth, and that of the first with everyone.
func TestSmallVariants(t *testing.T) {
	binaries, err := localcluster.EnsureBinaries(t.Context(), "", func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, topic := range topics {
		for _, who := range topic.who {
			if who != schedulers.Berth && i > 0 {
				continue
			}
			t.Run(topic.name+"/"+who, func(t *testing.T) {
				s, err := process{self: self, binaries: binaries}.run(t.Context(), single{topic: topic.name, scheduler: who, small: true})
				if err != nil {
					t.Fatal(err)
				}
				n := topic.small
				if s.Topic != topic.name || s.Scheduler != who || s.Pods != n.pods || s.Nodes != n.nodes {
					t.Errorf("a sample of %s with %s, %d pods, %d nodes; want %s with %s, %d pods, %d nodes", s.Topic, s.Scheduler, s.Pods, s.Nodes, topic.name, who, n.pods, n.nodes)
				}
				if s.PodsPerSecond <= 0 || s.CycleUsP50 <= 0 || s.CycleUsP99 < s.CycleUsP50 || s.CPUSecondsPer1000Pods <= 0 || s.PeakHeapMiB <= 0 {
					t.Errorf("amounts that cannot be: %+v", s)
				}
				// Every pod is bound once; null writes nothing else.
				if s.APIWritesPerPod < 1 || who == schedulers.Null && s.APIWritesPerPod > 1 {
					t.Errorf("%g writes a pod", s.APIWritesPerPod)
				}
				if hasGangs := s.AlgorithmMsPerGang != nil; hasGangs != (n.gang > 0) {
					t.Errorf("measured gangs: %t, the topic has some: %t", hasGangs, n.gang > 0)
				}
			})
		}
	}
}

// Pods that take a whole node each find one beside the pods that are placed before, or
// the run would wait for them until it is ended.
func TestEveryGangHasRoom(t *testing.T) {
	for _, topic := range topics {
		if topic.gpus != "8" {
			continue
		}
		for _, n := range []sizes{topic.small, topic.full} {
			taken := n.filled + (warmUps(n)+gpusPerNode-1)/gpusPerNode
			if n.pods+taken > n.nodes {
				t.Errorf("%s: %d pods of a node each, and %d nodes that others take, on %d nodes", topic.name, n.pods, taken, n.nodes)
			}
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--topics", "gpus"}, `there is no topic "gpus"; there are gpu-single, gpu-mix`},
		{[]string{"--schedulers", "floor"}, `there is no scheduler "floor"; there are upstream, upstream-pack, berth, null`},
		{[]string{"--runs", "0"}, "--runs=0: it must be at least 1"},
		{[]string{"--topics", "churn", "--schedulers", "null"}, "none of the schedulers has a part in the topics"},
	} {
		cmd := command()
		cmd.SetArgs(c.args)
		cmd.SilenceErrors = true
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.args, err, c.want)
		}
	}
}
