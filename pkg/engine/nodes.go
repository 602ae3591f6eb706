package engine

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// nodeHandler has gangs hear of the labels and health of nodes, and queues of what they have.
// Those that had no room are tried again when other pods may use a node than before.
func (e *engine) nodeHandler() cache.ResourceEventHandler {
	set := func(node *corev1.Node) {
		e.gangs.SetNode(node)
		e.queues.SetNode(node)
		e.occupancy.SetNode(node)
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			e.nodesAdded.Add(1)
			set(obj.(*corev1.Node))
		},
		UpdateFunc: func(old, obj any) {
			before, now := old.(*corev1.Node), obj.(*corev1.Node)
			if set(now); !nodeindex.SamePlace(before, now) {
				e.queues.Freed()
			}
		},
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				e.gangs.DeleteNode(name.Name)
				e.queues.DeleteNode(name.Name)
				e.occupancy.DeleteNode(name.Name)
			}
		},
	}
}
