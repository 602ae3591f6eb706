package dialect

import (
	"strconv"
	"strings"
)

// tierPrefix begins the level of a tier: the field that names one, and a sign that no
// label key has.
const tierPrefix = "networkTopology.highestTierAllowed="

// tierLevel is the level of a tier, of which it takes the labels of nodes to tell which
// label key it is.
func tierLevel(number int64) string { return tierPrefix + strconv.FormatInt(number, 10) }

// Tier returns the number of a level that is named by one, 1 for the nearest; false for
// any other level.
func Tier(level string) (number int64, ok bool) {
	text, ok := strings.CutPrefix(level, tierPrefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(text, 10, 64)
	return number, err == nil && number >= 1
}

// tierTrees are the levels that count as tiers, nearest first. Those of the network come
// before those of NVLink. Regions and zones are no switches, and a host is no tier.
var tierTrees = [...][]string{
	{"topology.kubernetes.io/rack", "topology.kubernetes.io/block"},
	{
		"fabric.topograph.run/tier-0", "fabric.topograph.run/tier-1", "fabric.topograph.run/tier-2",
		"fabric.topograph.run/tier-3", "fabric.topograph.run/tier-4", "fabric.topograph.run/tier-5",
	},
	{"network.topology.nvidia.com/leaf", "network.topology.nvidia.com/block", "network.topology.nvidia.com/spine", "network.topology.nvidia.com/core", "network.topology.nvidia.com/datacenter"},
	{"cloud.google.com/gce-topology-subblock", "cloud.google.com/gce-topology-block"},
	{"topology.k8s.aws/network-node-layer-3", "topology.k8s.aws/network-node-layer-2", "topology.k8s.aws/network-node-layer-1"},
	{"oci.oraclecloud.com/rdma.local_block_id", "oci.oraclecloud.com/rdma.network_block_id", "oci.oraclecloud.com/rdma.hpc_island_id"},
	{"ib.coreweave.cloud/leafgroup", "ib.coreweave.cloud/superpod", "ib.coreweave.cloud/fabric"},
	{"accelerator.topograph.run/sub-domain", "accelerator.topograph.run/domain"},
	{"network.topology.nvidia.com/accelerator"},
	{"nvidia.com/gpu.clique"},
	{"topology.k8s.aws/ultraserver-id"},
	{"ds.coreweave.com/nvlink.domain"},
}

// Tiers returns the label keys of a cluster's tiers, nearest first: of the first tree of
// which any node has a label, the levels of which any has. labelled reports whether any
// node has a label with a key.
func Tiers(labelled func(key string) bool) []string {
	for _, tree := range tierTrees {
		var tiers []string
		for _, key := range tree {
			if labelled(key) {
				tiers = append(tiers, key)
			}
		}
		if len(tiers) > 0 {
			return tiers
		}
	}
	return nil
}
