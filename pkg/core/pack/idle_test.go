package pack

import (
	"math/rand/v2"
	"testing"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// TestIdleAgainstTwin counts by node what Idle counts by shape. CPU and memory of nodes and
// requests are the highest of their levels, where the bound is exact.
func TestIdleAgainstTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	amount := func() int64 { return highest(uint8(random.IntN(12))) }
	stranded := 0
	for range 2000 {
		ix := NewIndex()
		var nodes []Amounts
		for id := range random.IntN(12) {
			free := Amounts{Kind: DeviceKind(random.IntN(3)), CPU: amount(), Memory: amount(), Pods: int32(random.IntN(3))}
			if free.Kind != NoDevice {
				free.Devices = int32(random.IntN(10) - 1)
			}
			ix.Set(NodeID(id), Node{Free: free})
			nodes = append(nodes, free)
		}
		var requests []Amounts
		for range random.IntN(4) {
			requests = append(requests, Amounts{Kind: 1, Devices: int32(random.IntN(9)), CPU: amount(), Memory: amount(), Pods: 1})
		}
		var wantIdle, wantUsable int64
		for _, free := range nodes {
			if free.Kind != 1 || free.Devices <= 0 {
				continue
			}
			wantIdle += int64(free.Devices)
			most := int64(0)
			for _, r := range requests {
				if r.Devices == 0 || !free.Fits(r) {
					continue
				}
				copies := int64(free.Devices / r.Devices)
				if r.CPU > 0 {
					copies = min(copies, free.CPU/r.CPU)
				}
				if r.Memory > 0 {
					copies = min(copies, free.Memory/r.Memory)
				}
				most = max(most, copies*int64(r.Devices))
			}
			wantUsable += most
		}
		idle, usable := ix.Idle(1, requests)
		if idle != wantIdle || usable < wantUsable {
			t.Fatalf("nodes %v, requests %v: %d idle of which %d usable, want %d and at least %d", nodes, requests, idle, usable, wantIdle, wantUsable)
		}
		if usable > idle {
			t.Fatalf("%d of %d idle devices are usable", usable, idle)
		}
		if full(nodes) {
			continue // a node that takes no pod has the shape of one without CPU: a request for none counts it
		}
		if usable != wantUsable {
			t.Fatalf("nodes %v, requests %v: %d usable, want %d", nodes, requests, usable, wantUsable)
		}
		if usable < idle && len(requests) > 0 {
			stranded++
		}
	}
	if stranded < 100 {
		t.Errorf("only %d cases have devices that are of no use", stranded)
	}
}

func full(nodes []Amounts) bool {
	for _, n := range nodes {
		if n.Pods <= 0 {
			return true
		}
	}
	return false
}

func TestIdleAsksForLinks(t *testing.T) {
	ix := NewIndex()
	ix.Set(0, Node{Free: Amounts{Kind: 1, Devices: 8, CPU: 1000, Memory: 1000, Pods: 10}})
	if idle, usable := ix.Idle(1, []Amounts{{Kind: 1, Devices: 2, Link: topology.Level(3), Pods: 1}}); idle != 8 || usable != 0 {
		t.Errorf("%d idle, %d usable where nothing is known of links; want 8 and 0", idle, usable)
	}
}

func TestCommon(t *testing.T) {
	small, large := Amounts{Kind: 1, Devices: 7, CPU: 1, Pods: 1}, Amounts{Kind: 1, Devices: 8, CPU: 64000, Pods: 1}
	c := &Common{}
	if _, some := c.Of(1, 8); some {
		t.Error("a request is common that nobody made")
	}
	c.Note(Amounts{CPU: 5, Pods: 1})
	for i := range 101 {
		c.Note([]Amounts{large, small}[i%2])
		c.Note(large)
	}
	if got, _ := c.Of(1, 8); got != large {
		t.Errorf("the usual request is %v, want %v", got, large)
	}
	for range 2*mostVotes + 1 {
		c.Note(small)
	}
	if got, _ := c.Of(1, 8); got != small {
		t.Errorf("after others came, the usual request is %v, want %v", got, small)
	}
	for devices, want := range map[int32]int32{-1: 0, 0: 0, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 16, 16: 16, 100: 16} {
		if got := SizeOf(devices); got != want {
			t.Errorf("SizeOf(%d) = %d, want %d", devices, got, want)
		}
	}
}
