package remedy

import (
	"fmt"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// BenchmarkFind explains gangs on 2,500 and 25,000 nodes in racks of 32, all of which but a
// few are taken by gangs of 8 whole nodes and by pods of 2 devices.
func BenchmarkFind(b *testing.B) {
	for _, nodes := range []int{2500, 25000} {
		w := &world{}
		for i := range nodes {
			w.nodes = append(w.nodes, node{whole: pack.Amounts{Kind: 1, Devices: 8, CPU: 96, Memory: 1024, Pods: 40}, block: fmt.Sprint("b", i/256), rack: fmt.Sprint("r", i/32%8)})
		}
		eight, two := pack.Amounts{Kind: 1, Devices: 8, CPU: 64, Memory: 512, Pods: 1}, pack.Amounts{Kind: 1, Devices: 2, CPU: 16, Memory: 128, Pods: 1}
		for i := 0; i < nodes; i++ {
			switch {
			case i%16 == 15: // free
			case i%4 == 3:
				for j := range 3 {
					w.run(fmt.Sprintf("small-%d-%d", i, j), Unknown, two, pack.NodeID(i))
				}
			case i%4 == 0 && i+2 < nodes:
				w.run(fmt.Sprintf("gang-%d", i), Instant(2000+i), eight, pack.NodeID(i), pack.NodeID(i+1), pack.NodeID(i+2))
			}
		}
		for _, asks := range []struct {
			name  string
			level fabric.Level
			pods  int
		}{{"anywhere", fabric.NoLevel, nodes / 8}, {"rack", rack, 16}, {"block", block, 64}} {
			w.asks = plan.Request{Required: asks.level, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: asks.pods}
			for rank := range asks.pods {
				w.asks.Pods = append(w.asks.Pods, plan.Pod{Rank: rank, Request: eight})
			}
			c, r := w.cluster(nil), w.request()
			b.Run(fmt.Sprintf("nodes=%d/%s", nodes, asks.name), func(b *testing.B) {
				for b.Loop() {
					if answer := Find(c, r, Bounds{Steps: 200_000}); answer.Fits || len(answer.Remedies) == 0 {
						b.Fatalf("%+v", answer)
					}
				}
			})
		}
	}
}

// BenchmarkFindAmongPods explains a gang of 4 whole nodes on 2,500 nodes of 8 devices, each with a
// pod of 5 devices and 9 pods of none.
func BenchmarkFindAmongPods(b *testing.B) {
	w := &world{}
	big, small := pack.Amounts{Kind: 1, Devices: 5, CPU: 40, Memory: 320, Pods: 1}, pack.Amounts{CPU: 1, Memory: 8, Pods: 1}
	for i := range 2500 {
		w.nodes = append(w.nodes, node{whole: pack.Amounts{Kind: 1, Devices: 8, CPU: 96, Memory: 1024, Pods: 40}, block: fmt.Sprint("b", i/256), rack: fmt.Sprint("r", i/32%8)})
		w.run(fmt.Sprintf("filled-%d-0", i), Unknown, big, pack.NodeID(i))
		for j := 1; j < 10; j++ {
			w.run(fmt.Sprintf("filled-%d-%d", i, j), Unknown, small, pack.NodeID(i))
		}
	}
	w.asks = plan.Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: 4}
	for rank := range 4 {
		w.asks.Pods = append(w.asks.Pods, plan.Pod{Rank: rank, Request: pack.Amounts{Kind: 1, Devices: 8, CPU: 8, Memory: 64, Pods: 1}})
	}
	c, r := w.cluster(nil), w.request()
	for b.Loop() {
		if answer := Find(c, r, Bounds{Steps: 200_000}); answer.Fits || len(answer.Remedies) == 0 {
			b.Fatalf("%+v", answer)
		}
	}
}
