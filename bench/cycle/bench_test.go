package main

import (
	"fmt"
	"testing"

	"github.com/berth-dev/berth/pkg/engine"
)

// BenchmarkCycle is a cycle of one pod on a cluster that is half full, for profiles
// and benchstat. Use -benchmem; the allocations are those of the binding as well.
func BenchmarkCycle(b *testing.B) {
	if err := engine.EnableGangEngine(); err != nil {
		b.Fatal(err)
	}
	for _, name := range contestants {
		for _, nodes := range []int{2500, 25_000} {
			var r *rig
			b.Run(fmt.Sprintf("scheduler=%s/nodes=%d", name, nodes), func(b *testing.B) {
				b.StopTimer()
				if r == nil {
					// The function runs more than once, for one cluster.
					r = benchRig(b, name, nodes)
				}
				for left := b.N; left > 0; {
					n := min(left, r.batch())
					left -= n
					r.queue(n)
					b.StartTimer()
					r.schedule(n, 0)
					b.StopTimer()
					bound, err := r.bound(n)
					if err != nil {
						b.Fatal(err)
					}
					if err := r.remove(bound); err != nil {
						b.Fatal(err)
					}
				}
			})
			if r != nil {
				r.stop()
			}
		}
	}
}

func benchRig(b *testing.B, name string, nodes int) *rig {
	r, err := newRig(name, nodes, fills["half"])
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.cycles(warmUp, 0); err != nil {
		b.Fatal(err)
	}
	return r
}
