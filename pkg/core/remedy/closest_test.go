package remedy

import (
	"testing"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// The domain that is said to come closest is the one that has a place for most pods, whatever
// was asked of the same index before.
func TestClosest(t *testing.T) {
	eight := pack.Amounts{Kind: 1, Devices: 8, CPU: 16, Memory: 64, Pods: 1}
	w := small(rack, 4, eight)
	for _, r := range []string{"r0", "r0", "r1", "r1"} {
		w.nodes = append(w.nodes, node{whole: w.nodes[0].whole, block: "b0", rack: r})
	}
	w.run("a", Unknown, eight, 0, 1, 4).run("b", Unknown, eight, 2)
	c, r := w.cluster(nil), w.request()
	for range 3 {
		answer := Find(c, r, Bounds{})
		if l := answer.Levels[0]; c.Planner.Fabric.Domain(l.Closest).Name != "b0/r1" || l.Fit != 3 || l.Needed != 4 {
			t.Errorf("%q comes closest, with %d of %d", c.Planner.Fabric.Domain(l.Closest).Name, l.Fit, l.Needed)
		}
	}
}
