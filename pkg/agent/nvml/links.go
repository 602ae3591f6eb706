//go:build cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// nvlinks are the NVLinks of one device that are up.
type nvlinks struct {
	// switched counts those that end at a switch, direct those to a PCI address.
	switched int32
	direct   map[string]int32
}

// readLinks reads how each pair of devices is linked.
func (r *read) readLinks() {
	typed := r.has("nvmlDeviceGetNvLinkRemoteDeviceType")
	for i := range r.gpus {
		r.readNVLinks(&r.gpus[i], typed)
	}
	for b := range r.gpus {
		for a := range b {
			link := between(&r.gpus[a], &r.gpus[b])
			link.A, link.B = int32(a), int32(b)
			if level, ret := r.gpus[a].GetTopologyCommonAncestor(r.gpus[b].Device); ret == nvml.SUCCESS {
				link.Path = path(level)
			} else {
				r.note("path to "+r.gpus[b].uuid, r.gpus[a].uuid, ret)
			}
			if link.Path != "" || link.NVLinks > 0 {
				r.machine.Links = append(r.machine.Links, link)
			}
		}
	}
}

// readNVLinks counts the NVLinks of a device by where they end.
func (r *read) readNVLinks(g *gpu, typed bool) {
	g.links.direct = map[string]int32{}
	for i := range nvml.NVLINK_MAX_LINKS {
		state, ret := g.GetNvLinkState(i)
		if ret != nvml.SUCCESS || state != nvml.FEATURE_ENABLED {
			r.note(fmt.Sprintf("state of NVLink %d", i), g.uuid, ret)
			continue
		}
		if typed {
			kind, ret := g.GetNvLinkRemoteDeviceType(i)
			if ret == nvml.SUCCESS && kind == nvml.NVLINK_DEVICE_TYPE_SWITCH {
				g.links.switched++
				continue
			}
			r.note(fmt.Sprintf("other end of NVLink %d", i), g.uuid, ret)
		}
		if remote, ret := g.GetNvLinkRemotePciInfo(i); ret == nvml.SUCCESS {
			g.links.direct[pciAddress(remote)]++
		} else {
			r.note(fmt.Sprintf("other end of NVLink %d", i), g.uuid, ret)
		}
	}
}

// between returns the NVLinks of a pair: those from one to the other or, if both are
// on a switch, as many as the one has that has fewer.
func between(a, b *gpu) v1alpha1.Link {
	// Both ends tell of a link. If they do not agree, the lower number is safe.
	if n := min(a.links.direct[b.address], b.links.direct[a.address]); n > 0 {
		return v1alpha1.Link{NVLinks: n}
	}
	if n := min(a.links.switched, b.links.switched); n > 0 {
		return v1alpha1.Link{NVLinks: n, Switched: true}
	}
	return v1alpha1.Link{}
}

// path returns the word for a common ancestor; "" for one that is not known. Two
// devices on one board are as near as those under one bridge.
func path(level nvml.GpuTopologyLevel) v1alpha1.Path {
	switch level {
	case nvml.TOPOLOGY_INTERNAL, nvml.TOPOLOGY_SINGLE:
		return v1alpha1.PathPIX
	case nvml.TOPOLOGY_MULTIPLE:
		return v1alpha1.PathPXB
	case nvml.TOPOLOGY_HOSTBRIDGE:
		return v1alpha1.PathPHB
	case nvml.TOPOLOGY_NODE:
		return v1alpha1.PathNODE
	case nvml.TOPOLOGY_SYSTEM:
		return v1alpha1.PathSYS
	}
	return ""
}

// readFabric reads the NVLink domain beyond the machine. All devices must agree on it:
// while it is being set up, some are in it before others.
func (r *read) readFabric() {
	if !r.has("nvmlDeviceGetGpuFabricInfo") {
		return
	}
	var fabric *v1alpha1.Fabric
	for i, g := range r.gpus {
		info, ret := g.GetGpuFabricInfo()
		if ret != nvml.SUCCESS {
			r.note("fabric", g.uuid, ret)
			return
		}
		if info.State != nvml.GPU_FABRIC_STATE_COMPLETED || nvml.Return(info.Status) != nvml.SUCCESS || info.ClusterUuid == [16]uint8{} {
			return
		}
		u := info.ClusterUuid
		found := v1alpha1.Fabric{
			ClusterUUID: fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]),
			CliqueID:    int64(info.CliqueId),
		}
		if i > 0 && *fabric != found {
			r.machine.Notes = append(r.machine.Notes, fmt.Sprintf("The devices are in fabric %s.%d and %s.%d; neither is reported.",
				fabric.ClusterUUID, fabric.CliqueID, found.ClusterUUID, found.CliqueID))
			return
		}
		fabric = &found
	}
	r.machine.Fabric = fabric
}
