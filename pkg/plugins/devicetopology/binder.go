package devicetopology

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Takings knows which devices pods were given.
type Takings interface {
	TakenBy(pod types.UID) *device.Taken
}

// Ledger knows which queue is charged for a pod; "" if none is.
type Ledger interface {
	ChargedQueue(pod types.UID) string
}

// Binder binds pods with their devices, their place in the plan of their gang and the queue
// charged for them in annotations of the binding, which the API server merges into those of the
// pod. What a pod says of these itself is overwritten. Another plugin binds the pods without.
type Binder struct {
	next    fwk.BindPlugin
	handle  fwk.Handle
	takings Takings
	ledger  Ledger
}

var _ fwk.BindPlugin = &Binder{}

// NewBinder returns a plugin that lets another bind the pods that were given nothing. The ledger
// may be nil, where there are no queues.
func NewBinder(next fwk.BindPlugin, handle fwk.Handle, takings Takings, ledger Ledger) *Binder {
	return &Binder{next: next, handle: handle, takings: takings, ledger: ledger}
}

// Name returns the name of the other plugin, in whose place this one is.
func (b *Binder) Name() string { return b.next.Name() }

// Bind writes the binding.
func (b *Binder) Bind(ctx context.Context, cycle fwk.CycleState, pod *corev1.Pod, node string) *fwk.Status {
	annotations, err := device.Annotations(b.takings.TakenBy(pod.UID), placeOf(cycle))
	if err != nil {
		return fwk.AsStatus(err)
	}
	if b.ledger != nil {
		if queue := b.ledger.ChargedQueue(pod.UID); queue != "" {
			annotations[dialect.ChargedQueueAnnotation] = queue
		}
	}
	for _, key := range dialect.WrittenAnnotations() {
		if _, written := annotations[key]; !written && pod.Annotations[key] != "" {
			// Nobody may give devices to himself.
			annotations[key] = ""
		}
	}
	if len(annotations) == 0 {
		return b.next.Bind(ctx, cycle, pod, node)
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, Annotations: annotations},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}
	if cacher := b.handle.APICacher(); cacher != nil {
		finished, err := cacher.BindPod(binding)
		if err == nil {
			err = cacher.WaitOnFinish(ctx, finished)
		}
		return fwk.AsStatus(err)
	}
	if err := b.handle.ClientSet().CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fwk.AsStatus(err)
	}
	return nil
}

// placeOf returns where a plan has put the pod of a cycle; nil if none has.
func placeOf(cycle fwk.CycleState) *device.Place {
	data, err := cycle.Read(device.PlaceKey)
	if err != nil {
		return nil
	}
	return data.(*device.Place)
}
