package podgroups

import (
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// Gate opens for a group once the scheduler has taken the group in with all its
// pods, and in it for each pod that the gang's verdict rests on, as long as the
// scheduler asks for no fewer members than the verdict does. It lets the scheduling
// queue know.
type Gate struct {
	Gangs *gangtable.Table
	// Activate makes the queue look at a pod's group again.
	Activate func(logger klog.Logger, pods map[string]*corev1.Pod)
	// Renewed is told of each group that the scheduler has taken in, or that it knows
	// otherwise than before; gone of each that it gives up.
	Renewed func(key gang.Key)
	Gone    func(name types.NamespacedName)

	mu sync.Mutex
	// open has the least count of each group that the scheduler has taken in.
	open map[types.NamespacedName]int32
}

var _ ganggate.Gate = &Gate{}

func NewGate() *Gate { return &Gate{open: map[types.NamespacedName]int32{}} }

// Open reports whether a pod may be scheduled with its group.
func (g *Gate) Open(pod *corev1.Pod, group string) bool {
	asked, open := g.least(types.NamespacedName{Namespace: pod.Namespace, Name: group})
	if !open {
		return false
	}
	need, cleared := g.Gangs.Cleared(gang.KeyOf(pod.Namespace, group), pod.UID)
	return cleared && asked >= need
}

// least returns how many members of a group the scheduler asks for; false if it has not
// taken the group in.
func (g *Gate) least(name types.NamespacedName) (count int32, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	count, open = g.open[name]
	return count, open
}

// cleared is called when pods of a group may join it. If the group is not open yet,
// its opening will look at them.
func (g *Gate) cleared(name types.NamespacedName) {
	if _, open := g.least(name); open {
		g.wake(name)
	}
}

// taken is called when the scheduler has taken in a group, or a change of it. Whoever was
// refused as it was before is not refused as it is.
func (g *Gate) taken(old, pg *schedulingv1beta1.PodGroup) {
	name := types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}
	count := gangtable.LeastCount(pg)
	if old == nil || !apiequality.Semantic.DeepEqual(old.Spec, pg.Spec) || !maps.Equal(old.Annotations, pg.Annotations) {
		g.Renewed(gang.KeyOf(pg.Namespace, pg.Name))
	}
	g.mu.Lock()
	was, open := g.open[name]
	g.open[name] = count
	g.mu.Unlock()
	if !open || was != count {
		g.wake(name)
	}
}

// wake makes the queue look at a group again.
func (g *Gate) wake(name types.NamespacedName) {
	// The queue finds the group by any of its pods, and asks for no more of it.
	member := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace},
		Spec:       corev1.PodSpec{SchedulingGroup: &corev1.PodSchedulingGroup{PodGroupName: &name.Name}},
	}
	g.Activate(klog.Background(), map[string]*corev1.Pod{"": member})
}

// deleted is called before the scheduler gives a group up.
func (g *Gate) deleted(name types.NamespacedName) {
	g.mu.Lock()
	delete(g.open, name)
	g.mu.Unlock()
	g.Gone(name)
}

// Gated is an informer of pod groups that tells a gate of them.
func Gated(groups cache.SharedIndexInformer, g *Gate) cache.SharedIndexInformer {
	return gatedInformer{groups, g}
}

// gatedInformer is the pod group informer. Its handlers, of which the scheduler's
// is one, are called inside of the gate.
type gatedInformer struct {
	cache.SharedIndexInformer
	gate *Gate
}

func (i gatedInformer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandler(gatedHandler{handler, i.gate})
}

// AddEventHandlerWithResyncPeriod and AddEventHandlerWithOptions are refused: a
// handler that came this way would go round the gate.
func (i gatedInformer) AddEventHandlerWithResyncPeriod(cache.ResourceEventHandler, time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return nil, errOtherWay
}

func (i gatedInformer) AddEventHandlerWithOptions(cache.ResourceEventHandler, cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	return nil, errOtherWay
}

type gatedHandler struct {
	cache.ResourceEventHandler
	gate *Gate
}

func (h gatedHandler) OnAdd(obj any, initial bool) {
	h.ResourceEventHandler.OnAdd(obj, initial)
	if pg, ok := obj.(*schedulingv1beta1.PodGroup); ok {
		h.gate.taken(nil, pg)
	}
}

func (h gatedHandler) OnUpdate(oldObj, newObj any) {
	h.ResourceEventHandler.OnUpdate(oldObj, newObj)
	if pg, ok := newObj.(*schedulingv1beta1.PodGroup); ok {
		old, _ := oldObj.(*schedulingv1beta1.PodGroup)
		h.gate.taken(old, pg)
	}
}

func (h gatedHandler) OnDelete(obj any) {
	if pg, ok := lastState(obj).(*schedulingv1beta1.PodGroup); ok {
		h.gate.deleted(types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name})
	}
	h.ResourceEventHandler.OnDelete(obj)
}
