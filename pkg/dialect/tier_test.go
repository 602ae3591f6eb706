package dialect

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestTiers(t *testing.T) {
	for _, test := range []struct {
		name   string
		labels []string
		want   []string
	}{
		{"no labels", nil, nil},
		{"zones are no tiers", []string{"topology.kubernetes.io/zone", "topology.kubernetes.io/region", "kubernetes.io/hostname"}, nil},
		{"racks in blocks", []string{"topology.kubernetes.io/block", "topology.kubernetes.io/zone", "topology.kubernetes.io/rack"},
			[]string{"topology.kubernetes.io/rack", "topology.kubernetes.io/block"}},
		{"blocks alone are nearest", []string{"topology.kubernetes.io/block"}, []string{"topology.kubernetes.io/block"}},
		{"topograph counts from 0", []string{"fabric.topograph.run/tier-0", "fabric.topograph.run/tier-1"},
			[]string{"fabric.topograph.run/tier-0", "fabric.topograph.run/tier-1"}},
		{"EKS counts from the top", []string{"topology.k8s.aws/network-node-layer-1", "topology.k8s.aws/network-node-layer-2", "topology.k8s.aws/network-node-layer-3"},
			[]string{"topology.k8s.aws/network-node-layer-3", "topology.k8s.aws/network-node-layer-2", "topology.k8s.aws/network-node-layer-1"}},
		{"a host is no tier", []string{"cloud.google.com/gce-topology-host", "cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"},
			[]string{"cloud.google.com/gce-topology-subblock", "cloud.google.com/gce-topology-block"}},
		{"the network before NVLink", []string{"nvidia.com/gpu.clique", "ib.coreweave.cloud/leafgroup"}, []string{"ib.coreweave.cloud/leafgroup"}},
		{"NVLink where there is nothing else", []string{"nvidia.com/gpu.clique"}, []string{"nvidia.com/gpu.clique"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Tiers(func(key string) bool { return slices.Contains(test.labels, key) })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each tree of tiers is a tree of the fabric, the other way round, without the levels that
// are no switches.
func TestTiersAreLevelsOfTheFabric(t *testing.T) {
	noSwitches := []string{
		"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
		"cloud.google.com/gce-topology-host", "oci.oraclecloud.com/rdma.host_id",
	}
	var want [][]string
	for _, tree := range FabricTrees() {
		tiers := slices.DeleteFunc(slices.Clone(tree), func(key string) bool { return slices.Contains(noSwitches, key) })
		slices.Reverse(tiers)
		want = append(want, tiers)
	}
	got := slices.Clone(tierTrees[:])
	byFirst := func(a, b []string) int { return slices.Compare(a, b) }
	slices.SortFunc(want, byFirst)
	slices.SortFunc(got, byFirst)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTier(t *testing.T) {
	for _, n := range []int64{1, 2, 1 << 40} {
		if got, ok := Tier(tierLevel(n)); got != n || !ok {
			t.Errorf("the level of tier %d is read as %d, %v", n, got, ok)
		}
	}
	for _, level := range []string{"", "rack", "topology.kubernetes.io/rack", tierPrefix, tierPrefix + "0", tierPrefix + "-1", tierPrefix + "x"} {
		if n, ok := Tier(level); ok {
			t.Errorf("the level %q is read as tier %d", level, n)
		}
	}
	if len(validation.IsQualifiedName(tierLevel(1))) == 0 {
		t.Errorf("a label may be named %q", tierLevel(1))
	}
}
