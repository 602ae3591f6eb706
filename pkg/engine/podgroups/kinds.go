package podgroups

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	schedulinginformers "k8s.io/client-go/informers/scheduling/v1beta1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

const (
	// recheckPeriod is how often every kind is asked for even if no custom resource
	// definition changed, for kinds that come by another way: an aggregated API
	// server, or a gate of the API server itself.
	recheckPeriod = 5 * time.Minute
	// settleAttempts bounds how often one change of a definition is asked about
	// again: a new one is served, and an old one ceases to be, a moment later.
	settleAttempts = 8
	// doubtAttempts is how often in a row a server must deny a kind that it served
	// before its gangs are forgotten: one that restarts denies, for a moment, what
	// it has not read yet.
	doubtAttempts = 5
)

// KindWatcher watches the objects of custom kinds, those that declare gangs and those
// that describe nodes: each kind while, and only while, the server serves it.
type KindWatcher struct {
	discovery discovery.DiscoveryInterface
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	client    kubernetes.Interface
	gangs     *gangtable.Table
	bridge    *Bridge

	Sources map[schema.GroupVersionResource]KindSource
	queue   workqueue.TypedRateLimitingInterface[schema.GroupVersionResource]

	mu      sync.Mutex
	running map[schema.GroupVersionResource]*runningWatch
	asked   map[schema.GroupVersionResource]bool
}

// KindSource makes the informer of one kind, and takes in and forgets its objects.
type KindSource struct {
	Informer func() cache.SharedIndexInformer
	Set      func(obj any)
	Remove   func(name types.NamespacedName)
	Drop     func()
}

// InformerOf makes the informer of a kind of which this program has no client.
func InformerOf(client dynamic.Interface, of schema.GroupVersionResource) func() cache.SharedIndexInformer {
	return func() cache.SharedIndexInformer {
		return dynamicinformer.NewFilteredDynamicInformer(client, of, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	}
}

type runningWatch struct {
	cancel   context.CancelFunc
	informer cache.SharedIndexInformer
	handler  cache.ResourceEventHandlerRegistration
	stopped  chan struct{}
}

func NewKindWatcher(client kubernetes.Interface, dynamicClient dynamic.Interface, metadataClient metadata.Interface, gangs *gangtable.Table, b *Bridge) *KindWatcher {
	w := &KindWatcher{
		discovery: client.Discovery(),
		dynamic:   dynamicClient,
		metadata:  metadataClient,
		client:    client,
		gangs:     gangs,
		bridge:    b,
		Sources:   map[schema.GroupVersionResource]KindSource{},
		running:   map[schema.GroupVersionResource]*runningWatch{},
		asked:     map[schema.GroupVersionResource]bool{},
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[schema.GroupVersionResource](200*time.Millisecond, 10*time.Second)),
	}
	for _, kind := range dialect.Kinds() {
		w.Sources[kind.Resource] = w.foreignSource(kind)
	}
	native := schedulingv1beta1.SchemeGroupVersion.WithResource("podgroups")
	w.Sources[native] = w.nativeSource(native)
	return w
}

func (w *KindWatcher) foreignSource(kind dialect.Kind) KindSource {
	return KindSource{
		Informer: InformerOf(w.dynamic, kind.Resource),
		Set: func(obj any) {
			if u, ok := obj.(*unstructured.Unstructured); ok {
				w.gangs.SetObject(&kind, u)
			}
		},
		Remove: func(name types.NamespacedName) { w.gangs.DeleteObject(&kind, name) },
		Drop:   func() { w.gangs.Drop(kind.Resource) },
	}
}

// nativeSource passes native pod groups on to the bridge.
func (w *KindWatcher) nativeSource(resource schema.GroupVersionResource) KindSource {
	return KindSource{
		Informer: func() cache.SharedIndexInformer {
			return schedulinginformers.NewPodGroupInformer(w.client, metav1.NamespaceAll, 0, cache.Indexers{})
		},
		Set: func(obj any) {
			if pg, ok := obj.(*schedulingv1beta1.PodGroup); ok {
				w.bridge.SetNative(pg)
				w.gangs.SetNative(pg)
			}
		},
		Remove: func(name types.NamespacedName) {
			w.gangs.DeleteNative(name)
			w.bridge.DeleteNative(name)
		},
		Drop: func() {
			w.gangs.Drop(resource)
			w.bridge.DropNatives()
		},
	}
}

// Run watches until the context is done.
func (w *KindWatcher) Run(ctx context.Context) {
	definitions := metadatainformer.NewFilteredMetadataInformer(w.metadata,
		schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	_, err := definitions.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    w.definitionChanged,
		UpdateFunc: func(_, obj any) { w.definitionChanged(obj) },
		DeleteFunc: w.definitionChanged,
	})
	if err != nil {
		klog.FromContext(ctx).Error(err, "Custom resource definitions are not watched: kinds that are installed later are found within minutes", "period", recheckPeriod)
	}
	go definitions.RunWithContext(ctx)

	stop := context.AfterFunc(ctx, w.queue.ShutDown)
	defer stop()
	go func() {
		for {
			for resource := range w.Sources {
				w.queue.Add(resource)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(recheckPeriod):
			}
		}
	}()
	for {
		resource, shutdown := w.queue.Get()
		if shutdown {
			return
		}
		w.reconcile(ctx, resource)
		w.queue.Done(resource)
	}
}

// Synced reports whether every kind was asked for once and the objects of those
// that are served have been taken in.
func (w *KindWatcher) Synced() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) < len(w.Sources) {
		return false
	}
	for _, r := range w.running {
		if !r.handler.HasSynced() {
			return false
		}
	}
	return true
}

// definitionChanged asks anew for the kinds of a definition that came, changed or
// went.
func (w *KindWatcher) definitionChanged(obj any) {
	accessor, err := meta.Accessor(lastState(obj))
	if err != nil {
		return
	}
	for resource := range w.Sources {
		if resource.GroupResource().String() == accessor.GetName() {
			w.queue.Forget(resource)
			w.queue.Add(resource)
			w.queue.AddRateLimited(resource)
		}
	}
}

// reconcile starts or stops the watch of a kind by whether it is served.
func (w *KindWatcher) reconcile(ctx context.Context, resource schema.GroupVersionResource) {
	logger := klog.FromContext(ctx)
	served, err := w.served(ctx, resource)
	if err != nil {
		logger.V(2).Info("Asking whether a kind is served failed; trying again", "resource", resource, "err", err)
		w.queue.AddRateLimited(resource)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[resource] = true
	running := w.running[resource]
	switch {
	case served && running == nil:
		r, err := w.start(ctx, resource)
		if err != nil {
			logger.Error(err, "Watching a kind failed", "resource", resource)
			return
		}
		w.running[resource] = r
		logger.Info("Watching a kind that the server serves", "resource", resource)
	case !served && running != nil && w.queue.NumRequeues(resource) < doubtAttempts:
		w.queue.AddRateLimited(resource)
		return
	case !served && running != nil:
		running.cancel()
		<-running.stopped
		delete(w.running, resource)
		w.Sources[resource].Drop()
		logger.Info("The server no longer serves a kind; its objects are forgotten", "resource", resource)
	case w.queue.NumRequeues(resource) > 0 && w.queue.NumRequeues(resource) < settleAttempts:
		w.queue.AddRateLimited(resource)
		return
	}
	w.queue.Forget(resource)
}

// served asks the server whether it serves a resource.
func (w *KindWatcher) served(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	names, err := servedResources(ctx, w.discovery, resource.GroupVersion())
	return slices.Contains(names, resource.Resource), err
}

// start runs the informer of a kind.
func (w *KindWatcher) start(ctx context.Context, resource schema.GroupVersionResource) (*runningWatch, error) {
	source := w.Sources[resource]
	informer := source.Informer()
	if err := informer.SetTransform(dropManagedFields); err != nil {
		return nil, fmt.Errorf("setting up the informer of %s: %w", resource, err)
	}
	handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    source.Set,
		UpdateFunc: func(_, obj any) { source.Set(obj) },
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				source.Remove(types.NamespacedName{Namespace: name.Namespace, Name: name.Name})
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the handler of %s: %w", resource, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &runningWatch{cancel: cancel, informer: informer, handler: handler, stopped: make(chan struct{})}
	go func() {
		defer close(r.stopped)
		informer.RunWithContext(ctx)
	}()
	return r, nil
}
