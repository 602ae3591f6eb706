package pack

import (
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// ask has pods ask for 1 to n devices, with every level of links in turn.
func ask(ranking *Ranking, n int) {
	for i := range n {
		for range ranking.Offer(Amounts{Kind: 1, Devices: int32(i + 1), Link: topology.Level(i % 4), Pods: 1}, Among{}) {
			break
		}
	}
}

// churned is what a node has free at one of many times: a shape of its own each.
func churned(i int) Amounts {
	return Amounts{
		Kind: 1, Devices: int32(i % 9), CPU: 1 << (i / 9 % 20), Memory: 1 << (i / 9 / 20 % 40), Pods: 110, Held: int32(i / 9 / 20 / 40 % 32),
	}
}

func TestOrdersAreBounded(t *testing.T) {
	ix := NewIndex()
	ix.Set(0, Node{Free: Amounts{Kind: 1, Devices: 8, Pods: 110}})
	rankings := []*Ranking{ix.NewRanking(Policy{}), ix.NewRanking(Policy{Spread: true})}
	for range 2 {
		for _, ranking := range rankings {
			ask(ranking, 20_000)
			if got := len(ranking.orders); got > mostOrders {
				t.Errorf("a ranking has %d orders, want at most %d", got, mostOrders)
			}
		}
		if got := len(ix.orders); got > len(rankings)*mostOrders {
			t.Errorf("the index tells %d orders, want at most %d", got, len(rankings)*mostOrders)
		}
	}
}

// TestOrdersInUseAreKept asks in turn for a form that stays and forms that do not.
func TestOrdersInUseAreKept(t *testing.T) {
	ix := NewIndex()
	ranking := ix.NewRanking(Policy{})
	usual := Amounts{Kind: 1, Devices: 8, Pods: 1}
	kept := ranking.order(usual)
	for i := range 2 * mostOrders {
		ranking.order(Amounts{Kind: DeviceKind(2 + i%200), Devices: int32(1 + i/200), Pods: 1})
		if ranking.order(usual) != kept {
			t.Fatalf("the order that is used the most was dropped after %d others", i+1)
		}
	}
}

// TestMoreThanMaxDevices has nodes and requests beyond what a shape counts to.
func TestMoreThanMaxDevices(t *testing.T) {
	ix := NewIndex()
	for id, devices := range []int32{8, MaxDevices, MaxDevices + 1, 300, 1000} {
		ix.Set(NodeID(id), Node{Free: Amounts{Kind: 1, Devices: devices, Pods: 110}})
	}
	ranking := ix.NewRanking(Policy{})
	for _, test := range []struct {
		devices int32
		want    []NodeID
	}{
		{8, []NodeID{0, 1, 2, 3, 4}},
		{MaxDevices, []NodeID{1, 2, 3, 4}},
		{MaxDevices + 1, []NodeID{2, 3, 4}},
		{300, []NodeID{3, 4}},
		{1000, []NodeID{4}},
		{1<<31 - 1, nil},
	} {
		got := slices.Collect(ranking.Offer(Amounts{Kind: 1, Devices: test.devices, Pods: 1}, Among{}))
		if !slices.Equal(got, test.want) {
			t.Errorf("%d devices: offered %v, want %v", test.devices, got, test.want)
		}
	}
	if got, want := len(ranking.orders), 3; got != want {
		t.Errorf("%d orders, want %d: one for all counts above MaxDevices", got, want)
	}
}

// TestShapesAreBounded has a few nodes go through shapes that they never have again.
func TestShapesAreBounded(t *testing.T) {
	const nodes = 20
	ix := NewIndex()
	for i := range 200_000 {
		ix.Set(NodeID(i%nodes), Node{Free: churned(i), Domains: []DomainID{DomainID(i % 3)}})
	}
	if got := len(ix.shapes); got > fewShapes {
		t.Errorf("%d shapes for %d nodes, want at most %d", got, nodes, fewShapes)
	}
	if got, want := len(ix.numbers), len(ix.shapes); got != want || len(ix.buckets) != want {
		t.Errorf("%d shapes have numbers and %d a bucket, want %d", got, len(ix.buckets), want)
	}
	for d, counts := range ix.domains {
		if len(counts) > fewShapes {
			t.Errorf("domain %d counts %d shapes, want at most %d", d, len(counts), fewShapes)
		}
	}
}
