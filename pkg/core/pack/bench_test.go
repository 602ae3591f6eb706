package pack

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// cluster returns an index of nodes of 8 devices, filled at random to a part.
func cluster(nodes int, fill float64) *Index {
	r := rand.New(rand.NewPCG(1, 1))
	ix := NewIndex()
	for id := range NodeID(nodes) {
		ix.Set(id, Node{
			Free:    Amounts{Kind: 1, Devices: 8, CPU: 192_000, Memory: 2 << 40, Pods: 110},
			Domains: []DomainID{DomainID(id / 32), DomainID(1_000_000/32 + id/256)},
		})
		for left := int32(8); left > 0 && r.Float64() < fill; {
			k := min(left, 1<<r.IntN(4))
			ix.Take(id, Amounts{Kind: 1, Devices: k, CPU: int64(k) * 8000, Memory: int64(k) << 36, Pods: 1})
			left -= k
		}
	}
	return ix
}

// One pod: the first node offered, taken, and given back.
func BenchmarkOfferTakeRevert(b *testing.B) {
	for _, nodes := range []int{100, 1000, 2500, 10_000, 25_000, 100_000} {
		for _, fill := range []float64{0, 0.5, 0.9} {
			b.Run(fmt.Sprintf("nodes=%d/fill=%.1f", nodes, fill), func(b *testing.B) {
				ix := cluster(nodes, fill)
				request := Amounts{Kind: 1, Devices: 2, CPU: 16_000, Memory: 1 << 37, Pods: 1}
				ranking := ix.NewRanking(Policy{CPU: 1, Memory: 1})
				for range ranking.Offer(request, Among{}) {
					goto offered
				}
				b.Fatal("no node is offered: there is nothing to measure")
			offered:
				b.ReportAllocs()
				for b.Loop() {
					for id := range ranking.Offer(request, Among{}) {
						ix.Revert(ix.Take(id, request))
						break
					}
				}
			})
		}
	}
}

func BenchmarkSlots(b *testing.B) {
	for _, nodes := range []int{2500, 25_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			ix := cluster(nodes, 0.5)
			request := Amounts{Kind: 1, Devices: 8, Pods: 1}
			b.ReportAllocs()
			for b.Loop() {
				ix.Slots(3, request)
			}
		})
	}
}

// Nodes on which nearly as much is left as is asked for have to be looked at, once.
func BenchmarkOfferAmongLeftovers(b *testing.B) {
	for _, nodes := range []int{2500, 25_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			ix := NewIndex()
			var v Verdicts
			for id := range NodeID(nodes) {
				cpu := int64(3850)
				if int(id) == nodes-1 {
					cpu = 1 << 40
				}
				ix.Set(id, Node{Free: Amounts{CPU: cpu, Memory: 1 << 40, Pods: 110}})
				v.Changed(id, true)
			}
			request := Amounts{CPU: 4000, Pods: 1}
			ranking := ix.NewRanking(Policy{CPU: 1, Memory: 1})
			among := Among{In: []*Set{v.Roomy()}, NoRoom: v.NoRoom}
			b.ReportAllocs()
			for b.Loop() {
				for id := range ranking.Offer(request, among) {
					ix.Revert(ix.Take(id, request))
					break
				}
			}
		})
	}
}

// One pod on a cluster of which pods have asked for so many different counts of devices.
func BenchmarkTakeRevertAfterForms(b *testing.B) {
	for _, forms := range []int{1, 200, 20_000} {
		b.Run(fmt.Sprintf("forms=%d", forms), func(b *testing.B) {
			ix := cluster(1000, 0)
			ranking := ix.NewRanking(Policy{CPU: 1, Memory: 1})
			ask(ranking, forms)
			request := Amounts{Kind: 1, Devices: 2, CPU: 16_000, Memory: 1 << 37, Pods: 1}
			b.ReportAllocs()
			for b.Loop() {
				ix.Revert(ix.Take(7, request))
			}
		})
	}
}

// A node that gets a new shape each time, and is offered.
func BenchmarkChurn(b *testing.B) {
	ix := cluster(1000, 0.5)
	ranking := ix.NewRanking(Policy{CPU: 1, Memory: 1})
	request := Amounts{Kind: 1, Devices: 1, Pods: 1}
	i := 0
	for b.Loop() {
		ix.Set(7, Node{Free: churned(i)})
		for range ranking.Offer(request, Among{}) {
			break
		}
		i++
	}
}
