package localcluster

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// GPUResource is the extended resource that nodes offer their GPUs as.
const GPUResource v1.ResourceName = "nvidia.com/gpu"

// A Machine is a model of server. Every node of a pool is one.
type Machine struct {
	Name      string // of the model, as in "hgx-h100"; the node's instance type
	GPU       string // product name, as GPU feature discovery labels it; "" without GPUs
	GPUs      int64
	GPUMemory int64  // MiB of each GPU
	CPUs      int64  // hardware threads
	Memory    int64  // GiB
	Pods      int64  // most pods at a time
	Arch      string // as in GOARCH
}

// Machines returns the known models, in the order in which they are listed to
// users. Capacities are those of the vendors' reference configurations.
func Machines() []Machine {
	return []Machine{
		{Name: "hgx-h100", GPU: "NVIDIA-H100-80GB-HBM3", GPUs: 8, GPUMemory: 81559, CPUs: 192, Memory: 2048, Pods: 110, Arch: "amd64"},
		{Name: "hgx-h200", GPU: "NVIDIA-H200", GPUs: 8, GPUMemory: 143771, CPUs: 192, Memory: 2048, Pods: 110, Arch: "amd64"},
		{Name: "hgx-b200", GPU: "NVIDIA-B200", GPUs: 8, GPUMemory: 183359, CPUs: 224, Memory: 2048, Pods: 110, Arch: "amd64"},
		{Name: "dgx-a100", GPU: "NVIDIA-A100-SXM4-80GB", GPUs: 8, GPUMemory: 81920, CPUs: 256, Memory: 2048, Pods: 110, Arch: "amd64"},
		{Name: "gb200-4", GPU: "NVIDIA-GB200", GPUs: 4, GPUMemory: 189471, CPUs: 144, Memory: 960, Pods: 110, Arch: "arm64"},
		{Name: "l40s-4", GPU: "NVIDIA-L40S", GPUs: 4, GPUMemory: 46068, CPUs: 128, Memory: 512, Pods: 110, Arch: "amd64"},
		{Name: "t4-1", GPU: "Tesla-T4", GPUs: 1, GPUMemory: 15360, CPUs: 16, Memory: 64, Pods: 110, Arch: "amd64"},
		{Name: "cpu-96", CPUs: 96, Memory: 384, Pods: 110, Arch: "amd64"},
	}
}

// MachineNamed returns the model of that name. The error lists the names.
func MachineNamed(name string) (Machine, error) {
	var names []string
	for _, m := range Machines() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Machine{}, fmt.Errorf("unknown machine model %q; known are %s", name, strings.Join(names, ", "))
}

// capacity is what a node of this model offers. All of it is allocatable.
func (m Machine) capacity() v1.ResourceList {
	list := v1.ResourceList{
		v1.ResourceCPU:              *resource.NewQuantity(m.CPUs, resource.DecimalSI),
		v1.ResourceMemory:           *resource.NewQuantity(m.Memory<<30, resource.BinarySI),
		v1.ResourceEphemeralStorage: *resource.NewQuantity(1<<40, resource.BinarySI),
		v1.ResourcePods:             *resource.NewQuantity(m.Pods, resource.DecimalSI),
	}
	if m.GPUs > 0 {
		list[GPUResource] = *resource.NewQuantity(m.GPUs, resource.DecimalSI)
	}
	return list
}

// validate refuses a model that could run nothing.
func (m Machine) validate() error {
	if m.CPUs < 1 || m.Memory < 1 || m.Pods < 1 || m.GPUs < 0 {
		return fmt.Errorf("machine model %q: CPUs, memory and pods must be at least 1 and GPUs at least 0, got %d, %d, %d and %d",
			m.Name, m.CPUs, m.Memory, m.Pods, m.GPUs)
	}
	return nil
}
