// Package devicetopology is the plugin that gives pods devices that are linked well.
//
// Filter refuses a node whose free devices are too few or do not have the links that the
// pod asks for by the annotation berth.dev/gpu-link. Score is
//
//	(80 x quality / ideal + 20 x (1 - cost)) of 100
//
// for the devices that the pod would get there: see package topology. Reserve takes them
// for the pod, Unreserve gives them back, and [Binder] writes them on the pod with its
// binding, so that it costs no further write.
//
// A node without a NodeTopology, or with one of other devices than the pod asks for,
// has its devices counted and no more: every node of that kind scores as ideal, and
// refuses pods that ask for links. So does a node that offers more devices than it has:
// they are shared, or parts.
//
// Files: args.go (the configuration), device_topology.go (the plugin), binder.go (the
// annotations).
package devicetopology

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Name is the plugin's name in a profile.
const Name = "DeviceTopology"

// Inventory knows the devices of nodes and what pods ask for.
type Inventory interface {
	RequestOf(pod *corev1.Pod) device.DeviceRequest
	Judge(node fwk.NodeInfo, request *device.DeviceRequest, link topology.Level) (topology.Choice, device.Fit)
	Take(pod *corev1.Pod, node string, link topology.Level, trial bool) (*device.Taken, error)
	Give(pod *corev1.Pod)
}

// DeviceTopology filters and scores nodes by the devices that a pod would get.
type DeviceTopology struct{ inventory Inventory }

var (
	_ fwk.PreFilterPlugin   = &DeviceTopology{}
	_ fwk.FilterPlugin      = &DeviceTopology{}
	_ fwk.PreScorePlugin    = &DeviceTopology{}
	_ fwk.ScorePlugin       = &DeviceTopology{}
	_ fwk.ReservePlugin     = &DeviceTopology{}
	_ fwk.SignPlugin        = &DeviceTopology{}
	_ fwk.EnqueueExtensions = &DeviceTopology{}
)

// New returns the plugin.
func New(inventory Inventory) *DeviceTopology { return &DeviceTopology{inventory: inventory} }

// Name returns the plugin's name.
func (*DeviceTopology) Name() string { return Name }

// EventsToRegister are the events that may give a pod devices. A NodeTopology that
// changes is told as a change of its node's allocatable.
func (*DeviceTopology) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable}},
		{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete}},
		{Event: fwk.ClusterEvent{Resource: fwk.TargetPod, ActionType: fwk.Update}, QueueingHintFn: linkChanged},
	}, nil
}

// linkChanged has a pod tried again once it asks for other links. Most updates are the
// scheduler's own word to the pod that it waits.
func linkChanged(_ klog.Logger, _ *corev1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	old, isPod := oldObj.(*corev1.Pod)
	changed, isToo := newObj.(*corev1.Pod)
	if isPod && isToo && old.Annotations[dialect.GPULinkAnnotation] == changed.Annotations[dialect.GPULinkAnnotation] {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// SignPod adds the links that a pod asks for, and how its devices are divided among
// containers; what it requests is in its signature.
func (d *DeviceTopology) SignPod(_ context.Context, pod *corev1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	request := d.inventory.RequestOf(pod)
	return []fwk.SignFragment{
		{Key: dialect.GPULinkAnnotation, Value: pod.Annotations[dialect.GPULinkAnnotation]},
		{Key: Name, Value: request.AppendParts(nil)},
	}, nil
}

const wantedKey fwk.StateKey = "PreFilter" + Name

// wanted is what the pod of a cycle asks for.
type wanted struct {
	request device.DeviceRequest
	link    topology.Level
}

// Clone returns the same: it is not changed.
func (w *wanted) Clone() fwk.StateData { return w }

// PreFilter notes what the pod asks for. A pod without devices has nothing to do with
// the rest.
func (d *DeviceTopology) PreFilter(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	request := d.inventory.RequestOf(pod)
	if request.Kind == pack.NoDevice {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	link, err := dialect.GPULink(pod)
	if err != nil {
		return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, err.Error())
	}
	cycle.Write(wantedKey, &wanted{request: request, link: link})
	return nil, nil
}

// PreFilterExtensions returns nil: Filter looks at the pods that are on a node.
func (*DeviceTopology) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

// The reasons of Filter. They are counted, so they name no node.
const (
	reasonTooFew       = "too few devices that are free and healthy"
	reasonNotLinked    = "free devices are not linked as " + dialect.GPULinkAnnotation + " asks"
	reasonNeverLinked  = "no devices that are linked as " + dialect.GPULinkAnnotation + " asks"
	reasonLinksUnknown = "no NodeTopology says how devices are linked, as " + dialect.GPULinkAnnotation + " asks"
)

// Filter refuses nodes that have not the devices.
func (d *DeviceTopology) Filter(_ context.Context, cycle fwk.CycleState, _ *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	w := wantedOf(cycle)
	if w == nil {
		return nil
	}
	switch _, fit := d.inventory.Judge(node, &w.request, w.link); fit {
	case device.TooFew:
		return fwk.NewStatus(fwk.Unschedulable, reasonTooFew)
	case device.NotLinked:
		return fwk.NewStatus(fwk.Unschedulable, reasonNotLinked)
	case device.NeverLinked:
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, reasonNeverLinked)
	case device.LinksUnknown:
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, reasonLinksUnknown)
	}
	return nil
}

func wantedOf(cycle fwk.CycleState) *wanted {
	data, err := cycle.Read(wantedKey)
	if err != nil {
		return nil
	}
	return data.(*wanted)
}

// PreScore leaves pods without devices out.
func (d *DeviceTopology) PreScore(_ context.Context, cycle fwk.CycleState, _ *corev1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	if wantedOf(cycle) == nil {
		return fwk.NewStatus(fwk.Skip)
	}
	return nil
}

// The parts of a score.
const (
	qualityPart = 80
	costPart    = fwk.MaxScore - qualityPart
)

// Score says how good the devices are that the pod would get, as the package doc states.
func (d *DeviceTopology) Score(_ context.Context, cycle fwk.CycleState, _ *corev1.Pod, node fwk.NodeInfo) (int64, *fwk.Status) {
	w := wantedOf(cycle)
	if w == nil {
		return 0, nil
	}
	choice, fit := d.inventory.Judge(node, &w.request, w.link)
	switch {
	case fit != device.Fits:
		return 0, nil
	case choice.Set == 0: // only counted
		return fwk.MaxScore, nil
	}
	return (qualityPart*int64(choice.Ratio) + costPart*(topology.Unit-int64(choice.Cost))) / topology.Unit, nil
}

// ScoreExtensions returns nil: scores are of 100 already.
func (*DeviceTopology) ScoreExtensions() fwk.ScoreExtensions { return nil }

// Reserve takes devices for the pod. What was free when the node was looked at may be
// gone by now: that is an error and no refusal, for a pod with an error is tried again in
// a moment, and one that is refused waits until something changes. On trial, in a pod-group
// cycle, the snapshot decides alone.
func (d *DeviceTopology) Reserve(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, node string) *fwk.Status {
	link, err := dialect.GPULink(pod)
	if err != nil {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, err.Error())
	}
	_, err = d.inventory.Take(pod, node, link, cycle.IsPodGroupSchedulingCycle())
	return fwk.AsStatus(err)
}

// Unreserve gives them back.
func (d *DeviceTopology) Unreserve(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) {
	d.inventory.Give(pod)
}
