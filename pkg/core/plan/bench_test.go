package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// cluster is nodes of 8 devices in racks of 32 and blocks of 8 racks, filled at random to
// a part.
func cluster(nodes int, fill float64) Planner {
	random := rand.New(rand.NewPCG(1, 1))
	p := Planner{Index: pack.NewIndex(), Fabric: fabric.New([]string{"block", "rack"})}
	p.Ranking = p.Index.NewRanking(pack.Policy{CPU: 1, Memory: 1})
	for i := range nodes {
		id := pack.NodeID(i)
		labels := map[string]string{"block": fmt.Sprintf("b%03d", i/256), "rack": fmt.Sprintf("r%04d", i/32)}
		domains := p.Fabric.Set(id, fmt.Sprintf("n%05d", i), labels)
		p.Index.Set(id, pack.Node{Free: pack.Amounts{Kind: 1, Devices: 8, CPU: 192_000, Memory: 2 << 40, Pods: 110}, Domains: domains})
		if random.Float64() >= fill {
			continue
		}
		for left := int32(8); left > 0 && random.IntN(8) > 0; {
			k := min(left, 1<<random.IntN(4))
			p.Index.Take(id, pack.Amounts{Kind: 1, Devices: k, CPU: int64(k) * 8000, Memory: int64(k) << 36, Pods: 1})
			left -= k
		}
	}
	return p
}

func gangOf(n int) Request {
	r := Request{Least: n, Required: fabric.NoLevel, Preferred: fabric.Level(1), SegmentLevel: fabric.NoLevel, Candidates: 3}
	for i := range n {
		r.Pods = append(r.Pods, Pod{Rank: i, Request: pack.Amounts{Kind: 1, Devices: 1, CPU: 8000, Memory: 1 << 36, Pods: 1}})
	}
	return r
}

// A gang of 512 that prefers a rack, and needs two.
func BenchmarkPlan(b *testing.B) {
	for _, nodes := range []int{2500, 25_000} {
		for _, fill := range []float64{0, 0.5, 0.9} {
			b.Run(fmt.Sprintf("nodes=%d/fill=%.1f", nodes, fill), func(b *testing.B) {
				p := cluster(nodes, fill)
				r := gangOf(512)
				if got := p.Plan(r); len(got.Candidates) == 0 {
					b.Fatal("there is no plan to measure")
				}
				for b.Loop() {
					p.Plan(r)
				}
			})
		}
	}
}
