package main

import (
	"fmt"
	"testing"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// BenchmarkCycle is a cycle of one pod on a cluster that is half full, for profiles
// and benchstat. Use -benchmem; the allocations are those of the binding as well.
func BenchmarkCycle(b *testing.B) {
	if err := podgroups.EnableGangEngine(); err != nil {
		b.Fatal(err)
	}
	for _, name := range contestants {
		for _, nodes := range []int{2500, 25_000} {
			var l *loop
			b.Run(fmt.Sprintf("scheduler=%s/nodes=%d", name, nodes), func(b *testing.B) {
				b.StopTimer()
				if l == nil {
					// The function runs more than once, for one cluster.
					l = benchLoop(b, name, nodes)
				}
				for left := b.N; left > 0; {
					n := min(left, l.batch())
					left -= n
					l.queue(n)
					b.StartTimer()
					l.schedule(n, 0)
					b.StopTimer()
					bound, err := l.placed(n)
					if err != nil {
						b.Fatal(err)
					}
					if err := l.takeAway(bound); err != nil {
						b.Fatal(err)
					}
				}
			})
			if l != nil {
				l.Stop()
			}
		}
	}
}

func benchLoop(b *testing.B, name string, nodes int) *loop {
	machine, err := rig.ModelOf(defaultMachine)
	if err != nil {
		b.Fatal(err)
	}
	l, err := newLoop(setup{scheduler: name, nodes: nodes, part: fills["half"], machine: machine})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := l.cycles(warmUp, 0); err != nil {
		b.Fatal(err)
	}
	return l
}
