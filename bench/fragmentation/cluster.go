package main

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/bench/rig"
)

// The labels of the levels that gangs ask for.
const (
	rackKey  = "topology.kubernetes.io/rack"
	blockKey = "topology.kubernetes.io/block"
)

// nodes is how many nodes there are.
func (p params) nodes() int { return p.Racks * p.NodesInRack }

// rackOf and blockOf return where a node is, by its number.
func (p params) rackOf(node int) int  { return node / p.NodesInRack }
func (p params) blockOf(node int) int { return p.rackOf(node) / p.RacksInBlock }

// racksOf returns how many racks nodes are in.
func (p params) racksOf(nodes []int) int {
	racks := make([]int, len(nodes))
	for i, n := range nodes {
		racks[i] = p.rackOf(n)
	}
	slices.Sort(racks)
	return len(slices.Compact(racks))
}

// node returns a node by its number, with the labels of its rack and block. All are in one
// zone.
func (p params) node(i int) *corev1.Node {
	node := rig.Node(i)
	node.Labels = map[string]string{
		corev1.LabelHostname:     node.Name,
		corev1.LabelTopologyZone: "zone-0",
		blockKey:                 fmt.Sprintf("block-%02d", p.blockOf(i)),
		rackKey:                  fmt.Sprintf("rack-%03d", p.rackOf(i)),
	}
	return node
}

// occupancy is who is on which node.
type occupancy struct {
	params
	// by is the number of the gang on each node, or nobody.
	by []int
	// free counts the nodes without a gang; freeInRack and freeInBlock those of each.
	free                    int
	freeInRack, freeInBlock []int
}

const nobody = -1

func newOccupancy(p params) *occupancy {
	o := &occupancy{params: p, by: slices.Repeat([]int{nobody}, p.nodes())}
	o.freeInRack = make([]int, p.Racks)
	o.freeInBlock = make([]int, p.blockOf(p.nodes()-1)+1)
	for node := range o.by {
		o.count(node, 1)
	}
	return o
}

// count takes in that a node is free, or not any more.
func (o *occupancy) count(node, change int) {
	o.free += change
	o.freeInRack[o.rackOf(node)] += change
	o.freeInBlock[o.blockOf(node)] += change
}

// take puts a gang on nodes, which must be as many as it has pods, free, and in one domain
// of the level that it requires, if any.
func (o *occupancy) take(g gang, nodes []int, required string) error {
	if len(nodes) != g.size {
		return fmt.Errorf("%s of %d pods is on %d nodes", g.name(), g.size, len(nodes))
	}
	for _, n := range nodes {
		switch {
		case n < 0 || n >= len(o.by):
			return fmt.Errorf("%s is on node %d, which there is not", g.name(), n)
		case o.by[n] != nobody:
			return fmt.Errorf("%s is on node %q, and so is gang %d", g.name(), rig.NodeName(n), o.by[n])
		case required == rackKey && o.rackOf(n) != o.rackOf(nodes[0]), required == blockKey && o.blockOf(n) != o.blockOf(nodes[0]):
			return fmt.Errorf("%s requires one domain of %s, and is on nodes %q and %q", g.name(), required, rig.NodeName(nodes[0]), rig.NodeName(n))
		}
		o.by[n] = g.number
		o.count(n, -1)
	}
	return nil
}

// give takes a gang away from its nodes.
func (o *occupancy) give(nodes []int) {
	for _, n := range nodes {
		o.by[n] = nobody
		o.count(n, 1)
	}
}

// holds reports whether a gang of a size has room in one domain of a level; "" for the
// whole cluster.
func (o *occupancy) holds(size int, level string) bool {
	switch level {
	case rackKey:
		return slices.Max(o.freeInRack) >= size
	case blockKey:
		return slices.Max(o.freeInBlock) >= size
	}
	return o.free >= size
}
