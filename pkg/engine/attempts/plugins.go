package attempts

import (
	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
)

// Admissions say who may be tried: queues, and where there are none, the window of a
// namespace. The fast path hears who is held.
type Admissions struct {
	*queueing.Queues
	Windows *unqueued.Windows
	Fast    *fastpath.Path
}

// Enter reports whether a pod may be tried now.
func (a Admissions) Enter(pod *corev1.Pod) bool {
	passed := a.Queues.Enter(pod)
	if passed && !a.Queues.Some() {
		passed = a.Windows.Enter(pod)
	}
	a.Fast.Asked(pod, passed)
	return passed
}

// Numbers are the places of entities of the scheduling queue.
type Numbers struct{ *queueing.Queues }

// Number returns the place of an entity.
func (n Numbers) Number(entity fwk.QueuedEntityInfo) uint64 {
	switch e := entity.(type) {
	case *framework.QueuedPodInfo:
		return n.Queues.Number("", "", e.Pod.UID)
	case *framework.QueuedPodGroupInfo:
		return n.Queues.Number(e.GetNamespace(), e.GetName(), "")
	}
	return 0
}
