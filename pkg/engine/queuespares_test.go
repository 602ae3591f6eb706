package engine

import (
	"strings"
	"testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/recovery"
)

// A queue has one node of each rack kept: nobody else gets it, and a gang of the queue that lost a
// member does. The node that it lost is the spare once it is back, and a gang of another queue that
// lost a member waits.
func TestAQueueHasSpares(t *testing.T) {
	c := &repairRig{events: &enginetest.Recorder{}, testCluster: newTestCluster(t, rackNodes(6, 3),
		testQueue{name: "top", weight: 1, spares: []v1alpha1.QueueSpares{{Level: rackLabel, Nodes: 1}}}, testQueue{name: "q", parent: "top", weight: 1}, testQueue{name: "o", weight: 1})}
	c.care(false)
	c.g = c.run(testJob{name: "g", queue: "q", size: 2, gpus: 8, rack: true}, "n0000", "n0001")
	other := c.run(testJob{name: "h", queue: "o", size: 2, gpus: 8, rack: true}, "n0004", "n0005")
	c.live(1)
	plain := c.submit(testJob{name: "plain", queue: "q", pods: 1, gpus: 1})
	whole := c.submit(testJob{name: "whole", queue: "o", size: 1, gpus: 8, rack: true})
	c.live(3)
	c.expectBound(plain, 0, "n0002 and n0003 are kept")
	c.expectBound(whole, 0, "n0002 and n0003 are kept")
	for name, want := range map[string]string{
		"plain-0": `2 node(s) are spares, kept for gangs of queue "top" that lose members`,
		"whole-0": `it would fit if 1 spare nodes there (spares of queue "top") were not kept for gangs that lose members`,
	} {
		if why := c.whyNot(name); !strings.Contains(why, want) {
			t.Errorf("%s is told %q, want %q", name, why, want)
		}
	}

	c.lose(1)
	c.end(c.g.uids[1])
	c.live(2)
	thief := c.fill("thief", 1)
	c.live(2)
	c.expectBound(thief, 0, "the room is kept")
	c.expectSaid(recovery.ReasonShort, "room is kept for 1 in their place on spares n0002, for", 1)
	c.again()
	c.live(2)
	c.expectOn(c.g, "its node is lost", "n0000", "n0002")
	c.nodeFeed.set(c.nodes[1])
	c.live(35)
	c.expectBound(plain, 0, "n0001 is back, and is the spare")

	c.end(other.uids[1])
	c.lose(5)
	c.live(2)
	other.uids[1] = c.create(other.podOf(1)).UID
	c.live(3)
	c.expectOn(other, "n0003 is no spare for it", "n0004")

	c.engine.queues.SetQueue(testQueue{name: "top", weight: 1}.object(2))
	c.live(35)
	c.expectOn(other, "there are no spares any more", "n0003", "n0004")
}
