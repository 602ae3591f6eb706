package engine

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/plugins/ganggate"
)

// gate opens for a group once the scheduler has taken the group in with all its
// pods, and lets the scheduling queue know.
type gate struct {
	// activate makes the queue look at a pod's group again.
	activate func(logger klog.Logger, pods map[string]*corev1.Pod)
	// gone is told of each group that the scheduler gives up.
	gone func(name types.NamespacedName)

	mu   sync.Mutex
	open map[types.NamespacedName]bool
}

var _ ganggate.Gate = &gate{}

func newGate() *gate { return &gate{open: map[types.NamespacedName]bool{}} }

// Open reports whether a group may be scheduled.
func (g *gate) Open(namespace, group string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[types.NamespacedName{Namespace: namespace, Name: group}]
}

// added is called when the scheduler has taken a group in.
func (g *gate) added(pg *schedulingv1beta1.PodGroup) {
	g.mu.Lock()
	g.open[types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}] = true
	g.mu.Unlock()
	// The queue finds the group by any of its pods, and asks for no more of it.
	member := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pg.Namespace},
		Spec:       corev1.PodSpec{SchedulingGroup: &corev1.PodSchedulingGroup{PodGroupName: &pg.Name}},
	}
	g.activate(klog.Background(), map[string]*corev1.Pod{"": member})
}

// deleted is called before the scheduler gives a group up.
func (g *gate) deleted(name types.NamespacedName) {
	g.mu.Lock()
	delete(g.open, name)
	g.mu.Unlock()
	g.gone(name)
}

// gatedInformer is the pod group informer. Its handlers, of which the scheduler's
// is one, are called inside of the gate.
type gatedInformer struct {
	cache.SharedIndexInformer
	gate *gate
}

func (i gatedInformer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandler(gatedHandler{handler, i.gate})
}

type gatedHandler struct {
	cache.ResourceEventHandler
	gate *gate
}

func (h gatedHandler) OnAdd(obj any, initial bool) {
	h.ResourceEventHandler.OnAdd(obj, initial)
	if pg, ok := obj.(*schedulingv1beta1.PodGroup); ok {
		h.gate.added(pg)
	}
}

func (h gatedHandler) OnDelete(obj any) {
	last := obj
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		last = gone.Obj
	}
	if pg, ok := last.(*schedulingv1beta1.PodGroup); ok {
		h.gate.deleted(types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name})
	}
	h.ResourceEventHandler.OnDelete(obj)
}
