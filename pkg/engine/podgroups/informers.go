package podgroups

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/internalinterfaces"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// PodFeed takes in pods, each after the scheduler has.
type PodFeed interface {
	SetPod(pod *corev1.Pod)
	DeletePod(pod *corev1.Pod)
}

// NewInformers returns the informers that the scheduler runs on. Two of
// them are ours, registered before the scheduler asks for them: the pod informer,
// which puts each pod into the group that its dialect names, and the pod group
// informer, which reads the source. The factory keeps the first of each type.
func NewInformers(client kubernetes.Interface, name *cache.InformerName, ours func(string) bool, feed PodFeed, groups *Source, g *Gate) (informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithInformerName(name))

	// Pods that have ended hold nothing, and a cluster has many of them.
	live := fmt.Sprintf("status.phase!=%v,status.phase!=%v", corev1.PodSucceeded, corev1.PodFailed)
	pods := coreinformers.NewPodInformerWithOptions(client, corev1.NamespaceAll, internalinterfaces.InformerOptions{
		Indexers:         cache.Indexers{},
		TweakListOptions: func(options *metav1.ListOptions) { options.FieldSelector = live },
		InformerName:     name,
	})
	if err := pods.SetTransform(Transform(ours)); err != nil {
		return nil, fmt.Errorf("setting up the pod informer: %w", err)
	}
	factory.InformerFor(&corev1.Pod{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return Regrouped(pods, feed)
	})
	factory.InformerFor(&schedulingv1beta1.PodGroup{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		informer := cache.NewSharedIndexInformer(groups, &schedulingv1beta1.PodGroup{}, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		return Gated(informer, g)
	})
	return factory, nil
}

// dropManagedFields is a transform that drops what nobody here reads.
func dropManagedFields(obj any) (any, error) {
	if accessor, err := meta.Accessor(obj); err == nil && accessor.GetManagedFields() != nil {
		accessor.SetManagedFields(nil)
	}
	return obj, nil
}

// Transform sets spec.schedulingGroup of each pod that speaks a dialect, in
// memory only. A member that does not count towards its gang is in a group that is set
// aside (see workload.GroupName), so the scheduler does not count it either. Like every
// transform it may meet an object twice: see dialect.Of.
func Transform(ours func(string) bool) cache.TransformFunc {
	return func(obj any) (any, error) {
		obj, err := dropManagedFields(obj)
		if err != nil {
			return nil, err
		}
		pod, ok := obj.(*corev1.Pod)
		if !ok || !ours(pod.Spec.SchedulerName) {
			return obj, nil
		}
		if membership, member := dialect.Of(pod); member {
			name := workload.GroupName(pod, membership)
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name}
		}
		return obj, nil
	}
}

// regroupingInformer hands a pod that changed its group, or was replaced by another of
// its name, to its handler as one pod that went and another that came: the scheduler
// takes a pod's group for immutable, as the native field is, and labels are not, nor is
// whether a member counts. A pod that has its node never goes in between, or its room
// would be given away: the scheduler's cache can have it change its group in one step.
// After the handler, the feed gets the pod; so a gang that the feed finds complete is in
// the scheduling queue.
type regroupingInformer struct {
	cache.SharedIndexInformer
	feed PodFeed
	// handled is set once there is a handler. The scheduler has one; a second one
	// would feed pods twice, and before the first is done with them.
	handled bool
}

var (
	errSecondHandler = errors.New("the scheduler handles pods in two places; the bridge expects one")
	errOtherWay      = errors.New("the scheduler adds its handlers in a way that the bridge does not expect")
)

// Regrouped is a pod informer that tells the feed of each pod once the scheduler has taken it in,
// and takes a pod out of its old group before it is in a new one.
func Regrouped(pods cache.SharedIndexInformer, feed PodFeed) cache.SharedIndexInformer {
	return &regroupingInformer{SharedIndexInformer: pods, feed: feed}
}

func (i *regroupingInformer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	if i.handled {
		return nil, errSecondHandler
	}
	i.handled = true
	return i.SharedIndexInformer.AddEventHandler(regroupingHandler{handler, i.feed})
}

// AddEventHandlerWithResyncPeriod and AddEventHandlerWithOptions are refused: a
// handler that came this way would go round the feed.
func (i *regroupingInformer) AddEventHandlerWithResyncPeriod(cache.ResourceEventHandler, time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return nil, errOtherWay
}

func (i *regroupingInformer) AddEventHandlerWithOptions(cache.ResourceEventHandler, cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	return nil, errOtherWay
}

// regroupingHandler is one handler with the feed behind it.
type regroupingHandler struct {
	scheduler cache.ResourceEventHandler
	feed      PodFeed
}

func (h regroupingHandler) OnAdd(obj any, initial bool) {
	h.scheduler.OnAdd(obj, initial)
	h.feed.SetPod(obj.(*corev1.Pod))
}

func (h regroupingHandler) OnUpdate(oldObj, newObj any) {
	oldPod, newPod := oldObj.(*corev1.Pod), newObj.(*corev1.Pod)
	// The watch may have missed a deletion, and the name be another pod's.
	replaced := oldPod.UID != newPod.UID
	switch {
	case replaced:
		h.scheduler.OnDelete(oldObj)
		h.scheduler.OnAdd(newObj, false)
	case workload.PodGroup(oldPod) == workload.PodGroup(newPod), oldPod.Spec.NodeName != "":
		h.scheduler.OnUpdate(oldObj, newObj)
	case newPod.Spec.NodeName != "":
		// It was bound, and changed its group after that: one after the other.
		between := *newPod
		between.Spec.SchedulingGroup = oldPod.Spec.SchedulingGroup
		h.scheduler.OnUpdate(oldObj, &between)
		h.scheduler.OnUpdate(&between, newObj)
	default:
		h.scheduler.OnDelete(oldObj)
		h.scheduler.OnAdd(newObj, false)
	}
	if replaced {
		h.feed.DeletePod(oldPod)
	}
	h.feed.SetPod(newPod)
}

func (h regroupingHandler) OnDelete(obj any) {
	h.scheduler.OnDelete(obj)
	if pod, ok := lastState(obj).(*corev1.Pod); ok {
		h.feed.DeletePod(pod)
	}
}

// lastState returns the last known state of an object that a handler is told is gone.
func lastState(obj any) any {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		return gone.Obj
	}
	return obj
}
