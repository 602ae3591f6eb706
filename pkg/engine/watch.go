package engine

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// podsOf lists the pods of an informer.
func podsOf(factory informers.SharedInformerFactory) func() []*corev1.Pod {
	pods := factory.Core().V1().Pods().Lister()
	return func() []*corev1.Pod {
		all, _ := pods.List(labels.Everything()) // a lister of an informer does not fail
		return all
	}
}

// queueSources take in the objects that say what queues there are.
func queueSources(client dynamic.Interface, queues *queueing.Queues) map[schema.GroupVersionResource]podgroups.KindSource {
	return map[schema.GroupVersionResource]podgroups.KindSource{
		v1alpha1.QueuesResource: {
			Informer: podgroups.InformerOf(client, v1alpha1.QueuesResource),
			Set: func(obj any) {
				u, ok := obj.(*unstructured.Unstructured)
				if !ok {
					return
				}
				queue := &v1alpha1.Queue{}
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, queue); err != nil {
					// The definition does not let this be.
					klog.Background().Error(err, "A Queue cannot be read; what was known of it stays", "queue", u.GetName())
					return
				}
				queues.SetQueue(queue)
			},
			Remove: func(name types.NamespacedName) { queues.DeleteQueue(name.Name) },
			Drop:   queues.DropQueues,
		},
		dialect.ElasticQuotas: {
			Informer: podgroups.InformerOf(client, dialect.ElasticQuotas),
			Set: func(obj any) {
				if u, ok := obj.(*unstructured.Unstructured); ok {
					queues.SetElasticQuota(u)
				}
			},
			Remove: queues.DeleteElasticQuota,
			Drop:   queues.DropElasticQuotas,
		},
	}
}

// watchNamespaces has queues hear of the labels of namespaces. It returns what says whether
// they have heard of all that there were.
func watchNamespaces(factory informers.SharedInformerFactory, queues *queueing.Queues) (known func() bool, err error) {
	handler, err := factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { queues.SetNamespace(obj.(*corev1.Namespace)) },
		UpdateFunc: func(_, obj any) { queues.SetNamespace(obj.(*corev1.Namespace)) },
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				queues.DeleteNamespace(name.Name)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching namespaces for their queues: %w", err)
	}
	return handler.HasSynced, nil
}

// watchBudgets has a reclaimer hear of disruption budgets.
func watchBudgets(factory informers.SharedInformerFactory, reclaimer *preemption.Reclaimer) error {
	_, err := factory.Policy().V1().PodDisruptionBudgets().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { reclaimer.SetBudget(obj.(*policyv1.PodDisruptionBudget)) },
		UpdateFunc: func(_, obj any) { reclaimer.SetBudget(obj.(*policyv1.PodDisruptionBudget)) },
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				reclaimer.DeleteBudget(types.NamespacedName{Namespace: name.Namespace, Name: name.Name})
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching disruption budgets: %w", err)
	}
	return nil
}

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
