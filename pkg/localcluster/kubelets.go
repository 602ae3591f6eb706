package localcluster

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// KubeletUser is the user as whom the simulated kubelets speak to the API
// server, for Requests and Writes.
const KubeletUser = "berth-local-kubelets"

// kubeletWorkers is how many pods are written at a time. Few are enough, and
// leave the API server to those who are being watched.
const kubeletWorkers = 8

// StartKubelets begins to simulate the kubelets of all nodes, present and future, until
// Stop: they take pods that were bound, or refuse them (admit.go), run them (podstep.go),
// and renew their leases (heartbeat.go).
func (c *Cluster) StartKubelets(ctx context.Context) error {
	config, err := c.configFor(KubeletUser, adminGroup)
	if err != nil {
		return fmt.Errorf("starting the kubelets: %w", err)
	}
	client, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return fmt.Errorf("starting the kubelets: %w", err)
	}
	k := &kubelets{
		client:   client,
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](20*time.Millisecond, 5*time.Second)),
		started:  map[types.UID]time.Time{},
		admitted: map[string]map[types.UID]*v1.Pod{},
	}
	if err := k.watch(ctx, c.background); err != nil {
		return fmt.Errorf("starting the kubelets: %w", err)
	}
	c.kubelets.Go(func() { k.run(c.background) })
	if c.options.Heartbeat > 0 {
		c.kubelets.Go(func() { k.heartbeat(c.background, c.options.Heartbeat) })
	}
	return nil
}

// kubelets does for all nodes what a kubelet does to the pods of one. It is
// driven by the state of the pods alone; what it does next to a pod, step
// decides.
type kubelets struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	nodes  corelisters.NodeLister
	// queue holds pods, and nodes, which have no namespace.
	queue workqueue.TypedRateLimitingInterface[cache.ObjectName]

	mu sync.Mutex
	// started holds when we started the containers of each pod that changes by
	// itself. The API keeps whole seconds only. Guarded by mu.
	started map[types.UID]time.Time
	// admitted are the pods that each node has taken and that have not ended.
	// Guarded by mu.
	admitted map[string]map[types.UID]*v1.Pod
	// addresses are the addresses that pods were given. Guarded by mu.
	addresses addresses
}

// watch fills the queue with pods that are bound, until life ends. It returns
// when all that exist are known.
func (k *kubelets) watch(ctx, life context.Context) error {
	factory := informers.NewSharedInformerFactoryWithOptions(k.client, 0)
	factory.InformerFor(&v1.Pod{}, func(client kubernetes.Interface, _ time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewFilteredPodInformer(client, metav1.NamespaceAll, 0, cache.Indexers{byNode: nodeOf},
			func(o *metav1.ListOptions) {
				o.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
			})
	})
	pods, nodes := factory.Core().V1().Pods(), factory.Core().V1().Nodes()
	k.pods, k.nodes = pods.Lister(), nodes.Lister()
	enqueue := func(obj any) { k.queue.Add(cache.MetaObjectToName(obj.(*v1.Pod))) }
	podsKnown, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { k.adopt(obj.(*v1.Pod)); enqueue(obj) },
		UpdateFunc: func(_, obj any) { enqueue(obj) },
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			k.forget(obj.(*v1.Pod))
		},
	})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	nodesKnown, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		// What was bound before the node came is looked at then, as is what waited while
		// the node was dark.
		AddFunc: func(obj any) { k.look(pods.Informer().GetIndexer(), obj.(*v1.Node).Name) },
		UpdateFunc: func(old, obj any) {
			was, is := old.(*v1.Node), obj.(*v1.Node)
			if isDark(was) && !isDark(is) || !rebootedAt(was).Equal(rebootedAt(is)) {
				k.look(pods.Informer().GetIndexer(), is.Name)
			}
			if gpus := is.Status.Allocatable[GPUResource]; gpus.Value() != healthyGPUs(is) {
				k.queue.Add(cache.ObjectName{Name: is.Name})
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	factory.Start(life.Done())
	if !cache.WaitForCacheSync(ctx.Done(), podsKnown.HasSynced, nodesKnown.HasSynced) {
		return fmt.Errorf("listing nodes and the bound pods: %w", context.Cause(ctx))
	}
	return nil
}

// byNode is the index of pods by the node that they are bound to.
const byNode = "node"

func nodeOf(obj any) ([]string, error) { return []string{obj.(*v1.Pod).Spec.NodeName}, nil }

// look looks at all pods of a node.
func (k *kubelets) look(pods cache.Indexer, node string) {
	all, _ := pods.ByIndex(byNode, node) // there is such an index
	for _, obj := range all {
		k.queue.Add(cache.MetaObjectToName(obj.(*v1.Pod)))
	}
}

// run works the queue until ctx ends.
func (k *kubelets) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range kubeletWorkers {
		workers.Go(func() {
			for {
				key, quit := k.queue.Get()
				if quit {
					return
				}
				if err := k.sync(ctx, key); err != nil {
					k.queue.AddRateLimited(key)
				} else {
					k.queue.Forget(key)
				}
				k.queue.Done(key)
			}
		})
	}
	<-ctx.Done()
	k.queue.ShutDown()
	workers.Wait()
}

// sync takes one pod, or one node, one step further.
func (k *kubelets) sync(ctx context.Context, key cache.ObjectName) error {
	if key.Namespace == "" {
		return k.syncNode(ctx, key.Name)
	}
	pod, err := k.pods.Pods(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	node, err := k.nodes.Get(pod.Spec.NodeName)
	if err != nil || isDark(node) {
		return nil // nobody is there to do anything; the node may come
	}
	now := time.Now()
	next := step(pod, k.startOf(pod), rebootedAt(node), now)
	b, _ := behaviorOf(pod) // a pod that cannot be read ends
	changed := pod.DeepCopy()
	at := metav1.NewTime(now)
	starts := false
	switch next.step {
	case stepNone:
		return nil
	case stepWait:
		k.queue.AddAfter(key, next.after)
		return nil
	case stepRemove:
		return k.remove(ctx, pod)
	case stepAdmit:
		if why, taken := k.admit(pod, node); taken {
			setStarted(changed, at, b.readyAfter == 0)
			setAddress(changed, k.address())
			starts = true
		} else {
			setRefused(changed, why)
		}
	case stepInit:
		startNext(changed, at, b.readyAfter == 0)
		starts = true
	case stepReady:
		setReady(changed, true, at)
	case stepRestart:
		setRestarted(changed, next.code, at, b.readyAfter == 0)
		starts = true
	case stepEnd:
		setEnded(changed, next, at)
		// What its containers had is free from now on, whether the API server hears of it or
		// the answer of the API server is heard.
		k.leave(pod)
	}
	if _, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err // also a conflict: the watch brings the newer pod
	}
	if starts {
		k.remember(pod, now)
	}
	return nil
}

// remove confirms the deletion of a pod.
func (k *kubelets) remove(ctx context.Context, pod *v1.Pod) error {
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64),
		Preconditions:      metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or another pod of that name
	}
	return err
}

// admit has a node take a pod, or says why it does not.
func (k *kubelets) admit(pod *v1.Pod, node *v1.Node) (rejection, bool) {
	if why, told := refusalOf(node); told {
		return why, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	others := k.admitted[node.Name]
	if others[pod.UID] != nil {
		return rejection{}, true // the answer to the write was lost
	}
	if why, fits := admit(pod, node, slices.Collect(maps.Values(others))); !fits {
		return why, false
	}
	k.hold(pod)
	return rejection{}, true
}

// adopt takes a pod for admitted that ran before we came.
func (k *kubelets) adopt(pod *v1.Pod) {
	if pod.Status.StartTime != nil && !hasEnded(pod) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.hold(pod)
		k.addresses.take(pod.Status.PodIP)
	}
}

// address returns one that no pod had before.
func (k *kubelets) address() netip.Addr {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.addresses.next()
}

func (k *kubelets) hold(pod *v1.Pod) {
	of := k.admitted[pod.Spec.NodeName]
	if of == nil {
		of = map[types.UID]*v1.Pod{}
		k.admitted[pod.Spec.NodeName] = of
	}
	of[pod.UID] = pod
}

// leave gives what a pod had back to its node.
func (k *kubelets) leave(pod *v1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.admitted[pod.Spec.NodeName], pod.UID)
	if len(k.admitted[pod.Spec.NodeName]) == 0 {
		delete(k.admitted, pod.Spec.NodeName)
	}
}

// startOf is when the containers of the pod were started last, to the nanosecond if we know.
func (k *kubelets) startOf(pod *v1.Pod) time.Time {
	k.mu.Lock()
	at, ok := k.started[pod.UID]
	k.mu.Unlock()
	if ok {
		return at
	}
	for _, statuses := range [][]v1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			if r := statuses[i].State.Running; r != nil && at.Before(r.StartedAt.Time) {
				at = r.StartedAt.Time
			}
		}
	}
	if at.IsZero() && pod.Status.StartTime != nil {
		at = pod.Status.StartTime.Time
	}
	return at
}

func (k *kubelets) remember(pod *v1.Pod, at time.Time) {
	if len(pod.Annotations) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started[pod.UID] = at
}

func (k *kubelets) forget(pod *v1.Pod) {
	k.leave(pod)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.started, pod.UID)
}
