package localcluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
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

// StartKubelets begins to simulate the kubelets of all nodes, present and
// future, until Stop. It does not look at nodes: any bound pod is run.
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
		client:  client,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](20*time.Millisecond, 5*time.Second)),
		started: map[types.UID]time.Time{},
	}
	if err := k.watch(ctx, c.background); err != nil {
		return fmt.Errorf("starting the kubelets: %w", err)
	}
	c.kubelets.Go(func() { k.run(c.background) })
	return nil
}

// kubelets does for all nodes what a kubelet does to the pods of one. It is
// driven by the state of the pods alone; what it does next to a pod, step
// decides.
type kubelets struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]

	mu sync.Mutex
	// started holds when we started each pod that runs for a limited time.
	// The API keeps whole seconds only. Guarded by mu.
	started map[types.UID]time.Time
}

// watch fills the queue with pods that are bound, until life ends. It returns
// when all that exist are known.
func (k *kubelets) watch(ctx, life context.Context) error {
	factory := informers.NewSharedInformerFactoryWithOptions(k.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
	}))
	informer := factory.Core().V1().Pods()
	k.pods = informer.Lister()
	enqueue := func(obj any) { k.queue.Add(cache.MetaObjectToName(obj.(*v1.Pod))) }
	registration, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			k.forget(obj.(*v1.Pod).UID)
		},
	})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(life.Done())
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("listing the bound pods: %w", context.Cause(ctx))
	}
	return nil
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

// sync takes one pod one step further.
func (k *kubelets) sync(ctx context.Context, key cache.ObjectName) error {
	pod, err := k.pods.Pods(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	now := time.Now()
	next, after := step(pod, k.startOf(pod), now)
	switch next {
	case stepNone:
		return nil
	case stepWait:
		k.queue.AddAfter(key, after)
		return nil
	case stepRemove:
		err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64),
			Preconditions:      metav1.NewUIDPreconditions(string(pod.UID)),
		})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // gone, or another pod of that name
		}
		return err
	}
	changed := pod.DeepCopy()
	switch next {
	case stepRun:
		setRunning(changed, metav1.NewTime(now))
	case stepSucceed:
		setEnded(changed, v1.PodSucceeded, metav1.NewTime(now))
	case stepFail:
		_, err := runFor(pod)
		setEnded(changed, v1.PodFailed, metav1.NewTime(now))
		changed.Status.Reason = "InvalidRunFor"
		changed.Status.Message = err.Error()
	}
	if _, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err // also a conflict: the watch brings the newer pod
	}
	if next == stepRun {
		k.remember(pod, now)
	}
	return nil
}

// startOf is when the pod was started, to the nanosecond if we know.
func (k *kubelets) startOf(pod *v1.Pod) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at, ok := k.started[pod.UID]; ok {
		return at
	}
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return time.Time{}
}

func (k *kubelets) remember(pod *v1.Pod, at time.Time) {
	if _, limited := pod.Annotations[RunForAnnotation]; !limited {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started[pod.UID] = at
}

func (k *kubelets) forget(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.started, uid)
}
