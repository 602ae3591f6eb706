package localcluster

import (
	"testing"
	"time"
)

// The leases of many nodes are spread over the period.
func TestSlots(t *testing.T) {
	nodes, _ := layOut(position{1, 1, 1}, Nodes{Count: 2500, RackSize: DefaultRackSize, BlockSize: DefaultBlockSize, Model: Machines()[0]})
	var in [heartbeatSlots]int
	for _, node := range nodes {
		in[slotOf(node.Name)]++
	}
	for slot, n := range in {
		if n < 200 || n > 300 {
			t.Errorf("slot %d has %d of 2500 nodes, want about 250", slot, n)
		}
	}
}

func TestHeartbeatFor(t *testing.T) {
	for nodes, want := range map[int]time.Duration{0: 10 * time.Second, 250: 10 * time.Second, 2500: 100 * time.Second} {
		if got := HeartbeatFor(nodes); got != want {
			t.Errorf("%d nodes renew their leases every %s, want %s", nodes, got, want)
		}
	}
}
