package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/bench/schedulers"
)

// The namespace of the pods that are measured, and those of others.
const (
	measured = "measured"
	warm     = "warm-up"
	filled   = "filled"
	leaving  = "leaving"
	waiting  = "waiting"
)

// sizes say how much of everything a topic has.
type sizes struct {
	nodes int
	// pods are those that are measured, in gangs of gang if that is not 0.
	pods, gang int
	// filled pods of filledGPUs each are on the nodes from the first on, one a node.
	filled, filledGPUs int
	// leaving pods of one GPU each are on the first nodes, and leave one by one.
	leaving, leavingPerSecond int
	// waiting pods of 8 GPUs fit nowhere.
	waiting int
}

// topic is what is scheduled.
type topic struct {
	name, what string
	// gpus is what a measured pod asks for; "mix" is 1, 2, 4 or 8 by turns.
	gpus string
	// level is the label of the domain that a gang must be in, if any. segment pods in a
	// row must be in one of segmentLevel, if it is not 0; upstream knows no segments.
	level        string
	segment      int
	segmentLevel string
	full         sizes
	small        sizes
	who          []string
	// few says who gets fewer pods to place, and has a part in the first round alone: it
	// would take many minutes otherwise.
	few map[string]int
}

// Nodes have 8 GPUs and are in racks of 32, with a leaf switch each, and in blocks of
// 1,024: see objects/node.yaml.
const (
	gpusPerNode = 8
	rack        = "berth.dev/rack"
	block       = "network.topology.nvidia.com/block"
	leaf        = "network.topology.nvidia.com/leaf"
)

var (
	everyone = []string{schedulers.Upstream, schedulers.UpstreamPack, schedulers.Berth, schedulers.Null}
	// fillers are those who want full nodes, beside what there is to reach.
	fillers = []string{schedulers.UpstreamPack, schedulers.Berth, schedulers.Null}
	// packers are those that can be compared on a cluster with little room: upstream
	// spreads, and null does not look.
	packers = []string{schedulers.UpstreamPack, schedulers.Berth}
)

// topics are in the order in which they run.
var topics = []topic{
	{
		name: "gpu-single", what: "pods of one GPU", gpus: "1", who: everyone,
		full: sizes{nodes: 2500, pods: 6000}, small: sizes{nodes: 60, pods: 200},
	},
	{
		name: "gpu-mix", what: "pods of 1, 2, 4 and 8 GPUs, 40, 25, 20 and 15 % of them", gpus: "mix", who: fillers,
		full: sizes{nodes: 2500, pods: 2000}, small: sizes{nodes: 60, pods: 100},
	},
	{
		name: "gangs-64", what: "gangs of 64 pods of 8 GPUs", gpus: "8", who: everyone,
		full: sizes{nodes: 2500, pods: 32 * 64, gang: 64}, small: sizes{nodes: 60, pods: 40, gang: 10},
	},
	{
		name: "gangs-1000", what: "gangs of 1,000 pods of 8 GPUs", gpus: "8", who: everyone,
		full: sizes{nodes: 2500, pods: 2 * 1000, gang: 1000}, small: sizes{nodes: 60, pods: 50, gang: 25},
	},
	{
		name: "gangs-rack", what: "gangs of 16 pods of 8 GPUs, each in one rack of 32 nodes", gpus: "8", who: []string{schedulers.Upstream, schedulers.Berth}, level: rack,
		full: sizes{nodes: 2500, pods: 64 * 16, gang: 16}, small: sizes{nodes: 64, pods: 48, gang: 16},
	},
	{
		name: "gangs-segments", what: "gangs of 64 pods of 8 GPUs, each in one block of 1,024 nodes, 16 in a row in one rack of 32", gpus: "8", who: []string{schedulers.Upstream, schedulers.Berth},
		level: block, segment: 16, segmentLevel: leaf,
		full: sizes{nodes: 2500, pods: 16 * 64, gang: 64}, small: sizes{nodes: 96, pods: 64, gang: 32},
	},
	{
		name: "gangs-block", what: "gangs of 1,000 pods of 8 GPUs, each in one block of 1,024 nodes", gpus: "8", who: []string{schedulers.Upstream, schedulers.Berth}, level: block,
		full: sizes{nodes: 2500, pods: 2 * 1000, gang: 1000}, small: sizes{nodes: 64, pods: 60, gang: 30},
	},
	{
		name: "churn", what: "pods of one GPU on a cluster that is over 90 % full, while 50 others a second leave", gpus: "1", who: packers,
		full:  sizes{nodes: 2500, pods: 1500, filled: 2125, filledGPUs: 8, leaving: 1500, leavingPerSecond: 50},
		small: sizes{nodes: 60, pods: 100, filled: 30, filledGPUs: 8, leaving: 60, leavingPerSecond: 20},
	},
	{
		name: "full", what: "pods of one GPU on a cluster where no node has more than three free, while 20 others a second leave", gpus: "1", who: packers,
		full:  sizes{nodes: 2500, pods: 6000, filled: 2500, filledGPUs: 5, leaving: 900, leavingPerSecond: 20},
		small: sizes{nodes: 60, pods: 60, filled: 60, filledGPUs: 6, leaving: 20, leavingPerSecond: 10},
	},
	{
		name: "pending", what: "the same, with 5,000 pods of 8 GPUs pending that fit nowhere", gpus: "1", who: packers,
		few:   map[string]int{schedulers.UpstreamPack: 1000},
		full:  sizes{nodes: 2500, pods: 6000, filled: 2500, filledGPUs: 5, leaving: 900, leavingPerSecond: 20, waiting: 5000},
		small: sizes{nodes: 60, pods: 60, filled: 60, filledGPUs: 6, leaving: 20, leavingPerSecond: 10, waiting: 50},
	},
}

// find returns a topic by its name.
func find(name string) (topic, error) {
	var names []string
	for _, t := range topics {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	return topic{}, fmt.Errorf("there is no topic %q; there are %s", name, strings.Join(names, ", "))
}

// runs reports whether a scheduler has a part in a round of the topic.
func (t topic) runs(scheduler string, round int) bool {
	return slices.Contains(t.who, scheduler) && (round == 0 || t.few[scheduler] == 0)
}

// sizes returns how much of everything a scheduler gets.
func (t topic) sizes(scheduler string, small bool) sizes {
	if small {
		return t.small
	}
	n := t.full
	if few := t.few[scheduler]; few > 0 {
		n.pods = few
	}
	return n
}
