package main

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/bench/schedulers"
)

// contestant is who places gangs, and what gangs ask for.
type contestant struct {
	name string
	// scheduler is that of package schedulers; "" for none.
	scheduler string
	// rack says that gangs that a rack can hold require one, block that the others require
	// one block: all of them without rack.
	rack, block bool
	// prefers says that gangs prefer one rack.
	prefers bool
	// random says that ties are broken at random.
	random bool
}

// contestants take part, in this order.
var contestants = []contestant{
	{name: "berth", scheduler: schedulers.Berth, block: true, prefers: true},
	{name: "berth-required", scheduler: schedulers.Berth, rack: true, block: true},
	{name: "first-fit"},
	{name: "upstream", scheduler: schedulers.Upstream, random: true},
	{name: "upstream-tas", scheduler: schedulers.Upstream, rack: true, block: true, random: true},
}

// names lists the contestants.
func names() []string {
	var out []string
	for _, c := range contestants {
		out = append(out, c.name)
	}
	return out
}

// find returns a contestant by its name.
func find(name string) (contestant, error) {
	for _, c := range contestants {
		if c.name == name {
			return c, nil
		}
	}
	return contestant{}, fmt.Errorf("there is no contestant %q; there are %s", name, strings.Join(names(), ", "))
}

// required returns the label of the level of which a gang requires one domain; "" for none.
func (c contestant) required(p params, size int) string {
	switch {
	case c.rack && size <= p.NodesInRack:
		return rackKey
	case c.block:
		return blockKey
	}
	return ""
}

// preferred returns the label of the level of which a gang prefers one domain; "" for none.
func (c contestant) preferred() string {
	if c.prefers {
		return rackKey
	}
	return ""
}

// placer places gangs.
type placer interface {
	// place finds the nodes of a gang's pods, in their order, and puts it there. Found are
	// no nodes, without an error, if it has no place.
	place(g gang) (placement, error)
	// put puts a gang on nodes that are known, in the order of its pods.
	put(g gang, nodes []int) error
	// end takes a gang away that was placed or put.
	end(g gang) error
	stop()
}

// newPlacer returns the placer of a contestant, on a cluster without gangs.
func (c contestant) newPlacer(p params) (placer, error) {
	if c.scheduler == "" {
		return newFirstFit(p), nil
	}
	return newScheduler(c, p)
}
