package main

import (
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/bench/rig"
)

// counter gives out nodes by counting GPUs: one until it is full, then the next.
type counter struct {
	names []string
	free  []int
	at    int
	given []gift
}

type gift struct{ node, gpus int }

// newCounter counts a new cluster of nodes that is filled to a part.
func newCounter(nodes int, part float64) *counter {
	c := &counter{names: make([]string, nodes), free: slices.Repeat([]int{rig.GPUsPerNode}, nodes)}
	for i := range nodes {
		c.names[i] = rig.NodeName(i)
	}
	prefill(nodes, part, func(p *corev1.Pod, node int) { c.free[node] -= rig.GPUs(p) })
	return c
}

var errFull = errors.New("no node has room")

// Next returns a node with room, and takes it.
func (c *counter) Next(p *corev1.Pod) (string, error) {
	k := rig.GPUs(p)
	for range c.names {
		if c.free[c.at] >= k {
			c.free[c.at] -= k
			c.given = append(c.given, gift{c.at, k})
			return c.names[c.at], nil
		}
		c.at = (c.at + 1) % len(c.names)
	}
	return "", errFull
}

// removed takes back what was given out.
func (c *counter) removed() {
	for _, g := range c.given {
		c.free[g.node] += g.gpus
	}
	c.given = c.given[:0]
}
