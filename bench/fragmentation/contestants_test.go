package main

import (
	"fmt"
	"testing"

	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// What the pod group of a gang asks for, as Berth reads it.
func TestWhatGangsAskFor(t *testing.T) {
	const rack, block = "topology.kubernetes.io/rack", "topology.kubernetes.io/block"
	tests := []struct {
		contestant          string
		size                int
		required, preferred string
	}{
		{"berth", 2, block, rack},
		{"berth", 16, block, rack},
		{"berth-required", 8, rack, ""},
		{"berth-required", 9, block, ""},
		{"upstream", 2, "", ""},
		{"upstream", 16, "", ""},
		{"upstream-tas", 8, rack, ""},
		{"upstream-tas", 9, block, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s, a gang of %d", test.contestant, test.size), func(t *testing.T) {
			c, err := find(test.contestant)
			if err != nil {
				t.Fatal(err)
			}
			m := c.members(tiny, gang{number: 1, size: test.size})
			if got := gangtable.TopologyOf(m.Group); got.Required != test.required || got.Preferred != test.preferred {
				t.Errorf("it requires %q and prefers %q, want %q and %q", got.Required, got.Preferred, test.required, test.preferred)
			}
			if least := int(m.Group.Spec.SchedulingPolicy.Gang.MinCount); len(m.Pods) != test.size || least != test.size {
				t.Errorf("it has %d pods, of which %d are needed", len(m.Pods), least)
			}
		})
	}
}
