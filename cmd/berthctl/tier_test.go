package main

import (
	"strings"
	"testing"
)

// A tier by number is the level that the labels of the snapshot make it.
func TestPlanOfATier(t *testing.T) {
	file := synthetic(t, "--nodes", "64", "--racks", "4", "--fill", "50", "--seed", "1")
	asking := func(mode, tier string) string {
		return strings.Replace(pod(4), "  annotations:\n",
			"  annotations:\n    volcano.sh/network-topology-mode: "+mode+"\n    volcano.sh/network-topology-highest-tier: \""+tier+"\"\n", 1)
	}
	for _, test := range []struct {
		mode, tier string
		status     int
		want       string
	}{
		{"hard", "1", statusAnswer, `"level":"topology.kubernetes.io/rack"`},
		{"hard", "2", statusAnswer, `"level":"topology.kubernetes.io/block"`},
		{"soft", "1", statusAnswer, `"level":"topology.kubernetes.io/rack"`},
		{"soft", "9", statusAnswer, `"level":""`},
		{"hard", "3", statusNone, "networkTopology.highestTierAllowed=3, and nodes have labels of 2 tiers only: topology.kubernetes.io/rack, topology.kubernetes.io/block"},
	} {
		status, out, log := berthctl(t, noCluster, asking(test.mode, test.tier), "plan", "-f", file, "-f", "-", "-o", "json")
		if status != test.status || !strings.Contains(out, test.want) {
			t.Errorf("%s, tier %s: status %d, %s%s; want status %d and %s", test.mode, test.tier, status, out, log, test.status, test.want)
		}
	}
}
