package fastpath

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/state/device"
)

// faultPlugin is a plugin that makes trouble where it is told to, and binds nothing: it tells of
// each pod that was bound, or failed.
type faultPlugin struct {
	// told has room for all pods of a gang.
	told chan told
	// binding is held by a test that wants nothing to be bound yet.
	binding sync.Mutex

	mu sync.Mutex
	// chosen are the nodes of pods that got one since the last call of chosenSince.
	chosen map[types.UID]string
	// reservations counts the calls of Reserve while gangs are tried.
	reservations int
	// closed are nodes that Filter refuses to all pods.
	closed map[string]bool
	// unreserved are pods that Reserve refuses while their gang is tried, spoilt those that
	// it refuses once the gang has a place. unbound are pods that cannot be bound.
	unreserved, spoilt, unbound map[types.UID]bool
}

// told is what became of a pod: it has a node, with what is written on it, or it failed.
type told struct {
	pod   *corev1.Pod
	node  string
	place *device.Place
}

const troubleName = "Trouble"

var (
	_ fwk.FilterPlugin   = &faultPlugin{}
	_ fwk.ReservePlugin  = &faultPlugin{}
	_ fwk.PermitPlugin   = &faultPlugin{}
	_ fwk.BindPlugin     = &faultPlugin{}
	_ fwk.PostBindPlugin = &faultPlugin{}
)

func newTrouble() *faultPlugin {
	t := &faultPlugin{told: make(chan told, 1000), chosen: map[types.UID]string{}}
	t.end()
	return t
}

func (t *faultPlugin) plugin(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return t, nil
}

// end ends all trouble.
func (t *faultPlugin) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.unreserved, t.spoilt, t.unbound = map[string]bool{}, map[types.UID]bool{}, map[types.UID]bool{}, map[types.UID]bool{}
}

func (*faultPlugin) Name() string { return troubleName }

func (t *faultPlugin) Filter(_ context.Context, _ fwk.CycleState, _ *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed[node.Node().Name] {
		return fwk.NewStatus(fwk.Unschedulable, "the node is closed")
	}
	return nil
}

func (t *faultPlugin) Reserve(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, _ string) *fwk.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	trying := cycle.IsPodGroupSchedulingCycle()
	if trying {
		t.reservations++
	}
	if trying && t.unreserved[pod.UID] || !trying && t.spoilt[pod.UID] {
		return fwk.NewStatus(fwk.Unschedulable, "it cannot be reserved")
	}
	return nil
}

func (*faultPlugin) Unreserve(context.Context, fwk.CycleState, *corev1.Pod, string) {}

// Permit comes once for each pod of a gang that was placed, when the cycle is through.
func (t *faultPlugin) Permit(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, node string) (*fwk.Status, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chosen[pod.UID] = node
	return nil, 0
}

// chosenSince returns the nodes of the pods that got one since it was called last.
func (t *faultPlugin) chosenSince() map[types.UID]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.chosen
	t.chosen = map[types.UID]string{}
	return out
}

func (t *faultPlugin) Bind(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) *fwk.Status {
	t.binding.Lock()
	defer t.binding.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unbound[pod.UID] {
		return fwk.NewStatus(fwk.Error, "it cannot be bound")
	}
	return nil
}

// PostBind comes after the scheduler has taken the binding in.
func (t *faultPlugin) PostBind(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, node string) {
	out := told{pod: pod, node: node}
	if data, err := cycle.Read(device.PlaceKey); err == nil {
		out.place = data.(*device.Place)
	}
	t.told <- out
}

func (t *faultPlugin) failed(pod *corev1.Pod) { t.told <- told{pod: pod} }
