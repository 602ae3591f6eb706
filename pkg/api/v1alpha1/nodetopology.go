package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MaxDevices is the most devices that a NodeTopology has.
const MaxDevices = 16

// NodeTopology says how the devices of one node are linked. Its name is the node's.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=ntopo
// +kubebuilder:printcolumn:name="Devices",type=string,JSONPath=".spec.devices[0].product",description="Product of the first device"
// +kubebuilder:printcolumn:name="Resource",type=string,JSONPath=".spec.resource"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=".status.conditions[?(@.type=='Ready')].reason"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type NodeTopology struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the hardware: it changes when the machine does.
	// +required
	Spec NodeTopologySpec `json:"spec"`
	// Status is what is wrong with it and who holds it.
	// +optional
	Status NodeTopologyStatus `json:"status,omitempty"`
}

// NodeTopologyList is a list of NodeTopologies.
//
// +kubebuilder:object:root=true
type NodeTopologyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeTopology `json:"items"`
}

// NodeTopologySpec is the hardware of a node, as its agent found it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.links) || self.links.all(l, l.a < l.b && l.b < size(self.devices))",message="links name two devices by their places in devices, the lower in a; both must exist"
type NodeTopologySpec struct {
	// Resource is the extended resource that counts these devices in the node's
	// allocatable, such as nvidia.com/gpu.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Resource string `json:"resource"`
	// Devices are the devices of the node in the order of their indexes. Each UUID is
	// there once.
	// +listType=map
	// +listMapKey=uuid
	// +kubebuilder:validation:MaxItems=16
	// +required
	Devices []Device `json:"devices"`
	// Links are how pairs of devices are linked. A pair that is not there is linked
	// in a way that is not known, and counts as one across sockets.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=120
	// +optional
	Links []Link `json:"links,omitempty"`
	// Rates are the bandwidths that links count with; where one is 0 or missing,
	// that of the product is taken.
	// +optional
	Rates *Rates `json:"rates,omitempty"`
	// Fabric is the NVLink domain beyond the node that the devices are in.
	// +optional
	Fabric *Fabric `json:"fabric,omitempty"`
}

// Device is one device, whole or divided.
type Device struct {
	// UUID names the device as the kubelet does: for NVIDIA, GPU-....
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	UUID string `json:"uuid"`
	// Product is the name of the product as the driver tells it.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Product string `json:"product,omitempty"`
	// MemoryMiB is the memory of the device in MiB.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MemoryMiB int64 `json:"memoryMiB,omitempty"`
	// PCIAddress is domain:bus:device.function in lower case, as in sysfs.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	PCIAddress string `json:"pciAddress,omitempty"`
	// NUMANode is the NUMA node that the device is near; missing if not known.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1023
	// +optional
	NUMANode *int32 `json:"numaNode,omitempty"`
	// NIC is the nearest path to a network adapter of the fabric; missing if not known.
	// +optional
	NIC Path `json:"nic,omitempty"`
	// Divided says that the device is divided (MIG): it is not given out as a whole,
	// and does not count as one of Resource.
	// +optional
	Divided bool `json:"divided,omitempty"`
}

// Path is the nearest PCIe path between two devices, in the words of nvidia-smi topo:
// PIX through one bridge, PXB through several, PHB through a host bridge, NODE between
// the host bridges of one NUMA node, SYS between NUMA nodes.
//
// +kubebuilder:validation:Enum=PIX;PXB;PHB;NODE;SYS
type Path string

// The paths, nearest first.
const (
	PathPIX  Path = "PIX"
	PathPXB  Path = "PXB"
	PathPHB  Path = "PHB"
	PathNODE Path = "NODE"
	PathSYS  Path = "SYS"
)

// Link is how two devices are linked.
type Link struct {
	// A and B are the places of the devices in devices, from 0; A is the lower.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=15
	// +required
	A int32 `json:"a"`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=15
	// +required
	B int32 `json:"b"`
	// Path is the PCIe path.
	// +optional
	Path Path `json:"path,omitempty"`
	// NVLinks is how many NVLinks (or XGMI links) the pair has: between the two if they
	// are linked directly, of the one that has fewer if both are on a switch.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=36
	// +optional
	NVLinks int32 `json:"nvlinks,omitempty"`
	// Switched says that the NVLinks of both end at a switch, so that all of them
	// serve any peer.
	// +optional
	Switched bool `json:"switched,omitempty"`
}

// Rates are bandwidths in MB/s (10^6 bytes), each way, of 1 TB/s at most.
type Rates struct {
	// NVLink is that of one NVLink.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	NVLink int32 `json:"nvlinkMBps,omitempty"`
	// PCIe is that of the devices' own PCIe link.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	PCIe int32 `json:"pcieMBps,omitempty"`
	// System is that between sockets.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	System int32 `json:"systemMBps,omitempty"`
}

// Fabric is an NVLink domain that spans nodes, as in NVL72.
type Fabric struct {
	// ClusterUUID names the NVLink domain.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	ClusterUUID string `json:"clusterUUID"`
	// CliqueID names the part of it that is connected.
	// +kubebuilder:validation:Minimum=0
	// +optional
	CliqueID int64 `json:"cliqueID,omitempty"`
}

// NodeTopologyStatus is what is wrong with the devices and who holds them.
type NodeTopologyStatus struct {
	// Unhealthy are the devices that must not be given out, each with a reason.
	// +listType=map
	// +listMapKey=uuid
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Unhealthy []UnhealthyDevice `json:"unhealthy,omitempty"`
	// Allocations are the devices that containers hold, as the kubelet tells, ordered
	// by namespace, pod and container. One that the kubelet has no more is not there.
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=pod
	// +listMapKey=container
	// +kubebuilder:validation:MaxItems=512
	// +optional
	Allocations []Allocation `json:"allocations,omitempty"`
	// Conditions: Ready says whether the agent could read the devices and the kubelet.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionReady is the type of the condition that tells whether spec and status are
// up to date.
const ConditionReady = "Ready"

// The reasons of ConditionReady. All but the first come with status False; what was
// found before stays in the object.
const (
	// ReasonReady: the driver and the kubelet were read.
	ReasonReady = "Ready"
	// ReasonNoDriver: there is no NVML library on the node.
	ReasonNoDriver = "NoDriver"
	// ReasonDriverFailed: NVML is there and does not answer.
	ReasonDriverFailed = "DriverFailed"
	// ReasonKubeletFailed: the kubelet does not say what containers hold.
	ReasonKubeletFailed = "KubeletFailed"
)

// UnhealthyDevice is a device that must not be given out.
type UnhealthyDevice struct {
	// UUID names the device; it is in spec.devices.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	UUID string `json:"uuid"`
	// Reason says in one word what is wrong: XidError, RowRemapPending,
	// RowRemapFailed, Lost.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Reason string `json:"reason"`
	// Message says it in a sentence.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// The reasons of an UnhealthyDevice.
const (
	// ReasonXid: the driver reported an error that is not the application's.
	ReasonXid = "XidError"
	// ReasonRemapPending: a row of memory is remapped at the next reset.
	ReasonRemapPending = "RowRemapPending"
	// ReasonRemapFailed: a row of memory could not be remapped.
	ReasonRemapFailed = "RowRemapFailed"
	// ReasonLost: the device was there, and the driver has it no more.
	ReasonLost = "Lost"
)

// Allocation is the devices that one container holds.
type Allocation struct {
	// Namespace, Pod and Container name the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Namespace string `json:"namespace"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Pod string `json:"pod"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Container string `json:"container"`
	// Devices are the UUIDs of the devices, in the order of spec.devices. A device
	// that is shared or divided is there under its own UUID.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=128
	// +required
	Devices []string `json:"devices"`
}
