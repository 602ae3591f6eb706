package suspension

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
)

// observeAttempts is how often an object is read again, at growing intervals, whose pods are
// gone and whose controller does not say yet that it is suspended.
const observeAttempts = 6

const (
	// unansweredAfter is how long after the end of its grace period a pod is waited for that is
	// deleted and not gone: the kubelet ends it by then. One that does not answer never does.
	unansweredAfter = 30 * time.Second
	// lookPeriod is how often it is looked whether there are none but such pods.
	lookPeriod = 10 * time.Second
)

// Run takes up what an earlier leader suspended, and resumes objects whose pods are gone,
// until the context is done. It is run by the leader alone, once its pods are known.
func (s *Suspender) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.queue.ShutDown)
	defer stop()
	s.takeUp(ctx)
	go s.lookForUnanswered(ctx)
	for {
		k, shutdown := s.queue.Get()
		if shutdown {
			return
		}
		if err := s.finish(ctx, k); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).V(2).Info("An object is still suspended; trying again", "object", k, "why", err)
			s.queue.AddRateLimited(k)
		} else {
			s.queue.Forget(k)
		}
		s.queue.Done(k)
	}
}

// takeUp waits for the pods of all objects that have the mark. Kinds that are not served, or
// that Berth may not list, have none.
func (s *Suspender) takeUp(ctx context.Context) {
	for _, kind := range dialect.Suspendables() {
		list, err := s.dynamic.Resource(kind.Resource).List(ctx, metav1.ListOptions{LabelSelector: Label + "=" + marked})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			continue
		case err != nil:
			klog.FromContext(ctx).Error(err, "Objects that an earlier leader suspended could not be listed; the next one resumes them", "resource", kind.Resource)
			continue
		}
		for i := range list.Items {
			obj := &list.Items[i]
			s.watch(key{resource: kind.Resource, namespace: obj.GetNamespace(), name: obj.GetName(), uid: obj.GetUID()}, kind, obj)
		}
	}
}

// finish resumes an object, if it is still ours and none of its pods is left. An error says
// that it is to be tried again.
func (s *Suspender) finish(ctx context.Context, k key) error {
	kind, _ := dialect.SuspendableAt(k.resource.GroupResource())
	obj, err := s.dynamic.Resource(k.resource).Namespace(k.namespace).Get(ctx, k.name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading it: %w", err)
	}
	if err != nil || obj.GetUID() != k.uid || obj.GetLabels()[Label] != marked {
		s.forget(k)
		return nil
	}
	if kind.Suspended(obj) {
		// Some may have been made since it was last looked.
		if s.watch(k, kind, obj); s.left(k) > 0 {
			return nil
		}
		if !kind.Observed(obj) && s.queue.NumRequeues(k) < observeAttempts {
			return fmt.Errorf("its controller does not say yet that it is suspended")
		}
	}
	if err := s.patch(ctx, k, obj, kind, false, "", ""); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("resuming it: %w", err)
	}
	s.forget(k)
	klog.FromContext(ctx).V(2).Info("Resumed an owner whose pods had left for another gang", "object", k)
	return nil
}

// unanswered reports whether a pod should be gone, and its kubelet does not answer. Its room is
// not given away, and its controller may make another in its place: whether it does before the
// pod is gone is the controller's rule (of a Job: podReplacementPolicy).
func (s *Suspender) unanswered(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && s.clock.Since(pod.DeletionTimestamp.Time) > unansweredAfter
}

// lookForUnanswered has those resumed that wait for nobody but pods whose kubelets do not
// answer, until the context is done.
func (s *Suspender) lookForUnanswered(ctx context.Context) {
	ticker := s.clock.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			s.look()
		}
	}
}

func (s *Suspender) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.underWay) == 0 {
		return
	}
	answering := sets.New[types.UID]()
	for _, pod := range s.pods() {
		if !s.unanswered(pod) {
			answering.Insert(pod.UID)
		}
	}
	for k, left := range s.underWay {
		if left.Intersection(answering).Len() == 0 {
			s.queue.Add(k)
		}
	}
}

func (s *Suspender) left(k key) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.underWay[k].Len()
}

func (s *Suspender) forget(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.underWay, k)
}
