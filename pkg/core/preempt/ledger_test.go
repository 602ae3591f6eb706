package preempt

import (
	"math/rand/v2"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// domainOf is the first domain of the first level of a request.
func domainOf(w *world, r plan.Request) *domain {
	s := newSearch(w.Planner, r, w.running, anyone{}, 1)
	return s.levels[0].domains[0]
}

// TestHolds has what counts of single shapes do not show.
func TestHolds(t *testing.T) {
	segments := func(size int) plan.Request {
		r := asks(4, 8, block, fabric.NoLevel)
		r.SegmentSize, r.SegmentLevel = size, rack
		return r
	}
	mixed := func(pods int) plan.Request {
		r := asks(pods, 8, block, fabric.NoLevel)
		for i := range r.Pods[:2] {
			r.Pods[i].Request = gpus(4)
		}
		return r
	}
	tests := []struct {
		name    string
		request plan.Request
		want    bool
	}{
		{"both of two shapes", mixed(5), true},
		{"each of two shapes for itself, and not both", mixed(6), false},
		{"one segment of two in each rack", segments(2), true},
		{"no rack has a segment of three", segments(3), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			for _, at := range []string{"r1", "r2"} {
				for _, node := range w.rack("b", at, 2) {
					w.run(at, 0, 8, 1, node)
				}
			}
			l := newLedger(domainOf(w, test.request))
			if l.holds() {
				t.Error("a full block holds a gang")
			}
			for i := range l.holdings {
				l.change(l.holdings[i].parts, true)
			}
			if got := l.holds(); got != test.want {
				t.Errorf("it holds the gang: %v, want %v", got, test.want)
			}
		})
	}
}

// TestLedgerAgreesWithACount lets parts go and come back, and counts anew each time.
func TestLedgerAgreesWithACount(t *testing.T) {
	changes := 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 8))
		w := randomWorld(random)
		r := randomRequest(random, w)
		s := newSearch(w.Planner, r, w.running, anyone{}, 1)
		for _, level := range s.levels {
			for _, d := range level.domains {
				l := newLedger(d)
				for range 20 {
					if len(d.parts) == 0 {
						break
					}
					l.change([]int32{int32(random.IntN(len(d.parts)))}, random.IntN(2) == 0)
					changes++
					w.count(t, l)
				}
			}
		}
	}
	if changes < 5000 {
		t.Errorf("%d changes: the test is too easy", changes)
	}
}

// count counts what a domain holds, from all its nodes.
func (w *world) count(t *testing.T, l *ledger) {
	t.Helper()
	var gone []Eviction
	for p, out := range l.out {
		if out {
			h := &l.holdings[l.parts[p].holding]
			gone = append(gone, Eviction{Gang: h.gang, Members: h.members[l.parts[p].member : l.parts[p].member+1]})
		}
	}
	p := w.gone(gone, nil)
	for c, wanted := range l.wanted {
		var want int64
		for _, node := range nodesOf(w.Fabric, l.id) {
			free, _ := p.Index.Free(node)
			if wanted.Open != nil && !wanted.Open.Has(node) || l.segmentSize > 0 && w.Fabric.At(node, rack) == fabric.NoDomain {
				continue
			}
			want += min(p.Index.Copies(free, wanted.Request), int64(wanted.Wanted))
		}
		if l.slots[c] != want {
			t.Fatalf("%d slots are counted, want %d, of %+v with %+v gone", l.slots[c], want, wanted, gone)
		}
	}
	regions := map[pack.DomainID]int64{}
	for _, node := range nodesOf(w.Fabric, l.id) {
		for _, wanted := range l.wanted {
			if free, _ := p.Index.Free(node); l.segmentSize > 0 && (wanted.Open == nil || wanted.Open.Has(node)) {
				regions[w.Fabric.At(node, rack)] += min(p.Index.Copies(free, wanted.Request), int64(wanted.Wanted))
			}
		}
	}
	var segments int64
	for region, slots := range regions {
		if region != fabric.NoDomain {
			segments += slots / int64(l.segmentSize)
		}
	}
	if l.segments != segments {
		t.Fatalf("%d segments are counted, want %d", l.segments, segments)
	}
}
