package dialect

// FabricTrees are the levels of networks as they are labelled in the wild: each tree is
// nested, widest first. Trees beside each other cut a cluster in different ways; the nodes
// of a cluster have labels of a few of them.
func FabricTrees() [][]string {
	return [][]string{
		// Kubernetes' own, and what is written beside them.
		{"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.kubernetes.io/block", "topology.kubernetes.io/rack"},
		// topograph; tier 0 is nearest.
		{
			"fabric.topograph.run/tier-5", "fabric.topograph.run/tier-4", "fabric.topograph.run/tier-3",
			"fabric.topograph.run/tier-2", "fabric.topograph.run/tier-1", "fabric.topograph.run/tier-0",
		},
		{"accelerator.topograph.run/domain", "accelerator.topograph.run/sub-domain"},
		// topograph, before.
		{"network.topology.nvidia.com/datacenter", "network.topology.nvidia.com/core", "network.topology.nvidia.com/spine", "network.topology.nvidia.com/block", "network.topology.nvidia.com/leaf"},
		{"network.topology.nvidia.com/accelerator"},
		// The NVLink domain of NVL72, with its clique.
		{"nvidia.com/gpu.clique"},
		// GKE
		{"cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock", "cloud.google.com/gce-topology-host"},
		// EKS; layer 3 is nearest.
		{"topology.k8s.aws/network-node-layer-1", "topology.k8s.aws/network-node-layer-2", "topology.k8s.aws/network-node-layer-3"},
		{"topology.k8s.aws/ultraserver-id"},
		// OCI
		{"oci.oraclecloud.com/rdma.hpc_island_id", "oci.oraclecloud.com/rdma.network_block_id", "oci.oraclecloud.com/rdma.local_block_id", "oci.oraclecloud.com/rdma.host_id"},
		// CoreWeave
		{"ib.coreweave.cloud/fabric", "ib.coreweave.cloud/superpod", "ib.coreweave.cloud/leafgroup"},
		{"ds.coreweave.com/nvlink.domain"},
	}
}
