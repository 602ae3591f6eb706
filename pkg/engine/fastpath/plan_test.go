package fastpath

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// racked adds a node to a rack.
func (y *yard) racked(rack string, gpus int64, change ...func(*corev1.Node)) {
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
			y := newYard(t, 1)
			for rack := range 40 {
				for range 3 {
					y.racked(fmt.Sprintf("r%02d", rack), 8, tainted)
				}
			}
			for range 6 { // with more left, it comes last
				y.racked("r99", 8)
			}
			c := y.newCrew(test.asked, 2, 2, 8)
			y.attempt(c)
			for _, m := range c.members {
				if m.node == "" || y.objects[m.node].Labels[testRack] != "r99" {
					t.Errorf("pod %q is on %q", m.pod.Name, m.node)
				}
			}
		})
	}
}
