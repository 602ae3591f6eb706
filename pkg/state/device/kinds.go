package device

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// DefaultNames are the extended resources that are devices unless a configuration
// says otherwise: whole accelerators, under the names that their device plugins use.
func DefaultNames() []corev1.ResourceName {
	return []corev1.ResourceName{
		"nvidia.com/gpu",
		"amd.com/gpu",
		"gpu.intel.com/i915",
		"gpu.intel.com/xe",
		"google.com/tpu",
		"habana.ai/gaudi",
		"aws.amazon.com/neuron",
		"huawei.com/Ascend910",
	}
}

// Kinds numbers the resources that are devices.
type Kinds struct {
	kinds map[corev1.ResourceName]pack.DeviceKind
}

// NewKinds numbers resources by their order. A node or pod that has several counts
// as one of the first of them.
func NewKinds(names []corev1.ResourceName) (*Kinds, error) {
	const most = 255
	if len(names) > most {
		return nil, fmt.Errorf("%d kinds of devices: there may be at most %d", len(names), most)
	}
	d := &Kinds{kinds: map[corev1.ResourceName]pack.DeviceKind{}}
	for i, name := range names {
		if d.kinds[name] != pack.NoDevice {
			return nil, fmt.Errorf("device %q is named twice", name)
		}
		d.kinds[name] = pack.DeviceKind(i + 1)
	}
	return d, nil
}

// amounts are those of a list, as the scheduler reads them: CPU in thousandths of a core,
// memory in bytes, and the rest by its name.
type amounts struct {
	cpu, memory int64
	scalars     map[corev1.ResourceName]int64
}

func amountsOf(r fwk.Resource) amounts {
	return amounts{cpu: r.GetMilliCPU(), memory: r.GetMemory(), scalars: r.GetScalarResources()}
}

func amountsOfList(list corev1.ResourceList) amounts {
	out := amounts{cpu: list.Cpu().MilliValue(), memory: list.Memory().Value(), scalars: map[corev1.ResourceName]int64{}}
	for name, q := range list {
		switch name {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods, corev1.ResourceEphemeralStorage:
		default:
			out.scalars[name] = q.Value()
		}
	}
	return out
}

// add adds the amounts of a pod to those of others.
func (a *amounts) add(pod amounts) {
	a.cpu, a.memory = a.cpu+pod.cpu, a.memory+pod.memory
	for name, n := range pod.scalars {
		a.scalars[name] += n
	}
}

// Free returns what a node has free: what is allocatable, less what its pods request.
func (d *Kinds) Free(node fwk.NodeInfo) pack.Amounts {
	return d.free(amountsOf(node.GetAllocatable()), amountsOf(node.GetRequested()), int64(node.GetAllocatable().GetAllowedPodNumber()), int64(len(node.GetPods())))
}

// Allocatable returns what a node has without pods.
func (d *Kinds) Allocatable(node fwk.NodeInfo) pack.Amounts {
	return d.free(amountsOf(node.GetAllocatable()), amounts{}, int64(node.GetAllocatable().GetAllowedPodNumber()), 0)
}

// FreeOfList is Free of a node that is given by its allocatable amounts and what each of
// its pods requests.
func (d *Kinds) FreeOfList(allocatable corev1.ResourceList, pods []corev1.ResourceList) pack.Amounts {
	taken := amountsOfList(nil)
	for _, pod := range pods {
		taken.add(amountsOfList(pod))
	}
	return d.free(amountsOfList(allocatable), taken, allocatable.Pods().Value(), int64(len(pods)))
}

func (d *Kinds) free(all, taken amounts, allowed, held int64) pack.Amounts {
	free := pack.Amounts{CPU: all.cpu - taken.cpu, Memory: all.memory - taken.memory, Pods: narrow(allowed - held), Held: narrow(held)}
	if kind, name, amount := d.first(all.scalars); kind != pack.NoDevice {
		free.Kind, free.Devices = kind, narrow(amount-taken.scalars[name])
	}
	return free
}

// Request returns what a pod asks for.
func (d *Kinds) Request(r fwk.Resource) pack.Amounts { return d.request(amountsOf(r)) }

// RequestOfList is Request of a pod with these requests.
func (d *Kinds) RequestOfList(requests corev1.ResourceList) pack.Amounts {
	return d.request(amountsOfList(requests))
}

func (d *Kinds) request(asked amounts) pack.Amounts {
	request := pack.Amounts{CPU: asked.cpu, Memory: asked.memory, Pods: 1}
	if kind, _, amount := d.first(asked.scalars); kind != pack.NoDevice {
		request.Kind, request.Devices = kind, narrow(amount)
	}
	return request
}

// narrow returns a count that fits into 32 bits: what exceeds them counts as the most or
// the least that does. Whoever writes a pod or a node may name any number.
func narrow(count int64) int32 {
	return int32(min(max(count, math.MinInt32), math.MaxInt32))
}

// first returns the first kind of device that there is any of.
func (d *Kinds) first(amounts map[corev1.ResourceName]int64) (kind pack.DeviceKind, name corev1.ResourceName, amount int64) {
	for n, a := range amounts {
		if k := d.kinds[n]; a > 0 && k != pack.NoDevice && (kind == pack.NoDevice || k < kind) {
			kind, name, amount = k, n, a
		}
	}
	return kind, name, amount
}

// Offered is what a node has of devices.
type Offered struct {
	Kind pack.DeviceKind
	// Capacity is what it has, Allocatable what it offers to pods.
	Capacity, Allocatable int64
}

// Offered reads what a node has of devices.
func (d *Kinds) Offered(node fwk.NodeInfo) Offered {
	kind, name, amount := d.first(node.GetAllocatable().GetScalarResources())
	if kind == pack.NoDevice {
		// It may have some, and offer none.
		for n, q := range node.Node().Status.Capacity {
			if k := d.kinds[n]; k != pack.NoDevice && q.Value() > 0 && (kind == pack.NoDevice || k < kind) {
				kind, name = k, n
			}
		}
	}
	capacity := node.Node().Status.Capacity[name]
	return Offered{Kind: kind, Capacity: max(capacity.Value(), amount), Allocatable: amount}
}

// Name returns the resource of a kind; "" for NoDevice.
func (d *Kinds) Name(kind pack.DeviceKind) corev1.ResourceName {
	for name, k := range d.kinds {
		if k == kind {
			return name
		}
	}
	return ""
}

// Names returns the resources in the order of their kinds.
func (d *Kinds) Names() []string {
	out := make([]string, len(d.kinds))
	for name, kind := range d.kinds {
		out[kind-1] = string(name)
	}
	return out
}
