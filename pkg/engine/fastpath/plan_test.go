package fastpath

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// racked adds a node to a rack.
func (y *cycleRig) racked(rack string, gpus int64, change ...func(*corev1.Node)) {
	y.made++
	node := testNode(fmt.Sprintf("n%04d", y.made), gpus, 64, 512, change...)
	node.Labels[testBlock], node.Labels[testRack] = "b", rack
	y.names, y.objects[node.Name] = append(y.names, node.Name), node
	y.addNode(node)
}

// A gang finds the one rack whose nodes take it, whatever there is that looks better and
// refuses.
func TestPlanGoesRoundNodesThatRefuse(t *testing.T) {
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "team", Effect: corev1.TaintEffectNoSchedule}}
	}
	for _, test := range []struct {
		name  string
		asked gang.Topology
	}{
		{"that it requires", gang.Topology{Required: testRack}},
		{"that it prefers", gang.Topology{Preferred: testRack}},
		{"of its segment", gang.Topology{SegmentSize: 2, SegmentLevel: testRack}},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := newCycleRig(t, 1)
			for rack := range 40 {
				for range 3 {
					y.racked(fmt.Sprintf("r%02d", rack), 8, tainted)
				}
			}
			for range 6 { // with more left, it comes last
				y.racked("r99", 8)
			}
			c := y.newGang(test.asked, 2, 2, 8)
			y.attempt(c)
			for _, m := range c.members {
				if m.node == "" || y.objects[m.node].Labels[testRack] != "r99" {
					t.Errorf("pod %q is on %q", m.pod.Name, m.node)
				}
			}
		})
	}
}

// Once all pods have followed a plan, the other domains are not tried; if one could not, they
// are, and the gang goes to the next.
func TestCarriedPlanEndsTheSearch(t *testing.T) {
	for _, test := range []struct {
		name string
		// closed are nodes that refuse for what no index knows.
		closed []int
		want   string
		tries  int
	}{
		{"the first domain takes it", nil, "r1", 4},
		{"the second does", []int{0, 1}, "r2", 2 + 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := newCycleRig(t, 1)
			for _, rack := range []string{"r1", "r2", "r3"} {
				for range 4 {
					y.racked(rack, 8)
				}
			}
			for _, i := range test.closed {
				y.closed[y.names[i]] = true
			}
			c := y.newGang(gang.Topology{Required: testRack}, 4, 4, 8)
			y.attempt(c)
			for _, m := range c.members {
				if m.node == "" || y.objects[m.node].Labels[testRack] != test.want {
					t.Errorf("pod %q is on %q, want it in %s", m.pod.Name, m.node, test.want)
				}
			}
			if y.reservations != test.tries {
				t.Errorf("pods were reserved %d times, want %d", y.reservations, test.tries)
			}
		})
	}
}
