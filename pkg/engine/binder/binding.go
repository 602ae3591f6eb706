package binder

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

// A binding whose answer is lost may have been stored, or may be stored yet. Its pod
// keeps its room, its devices and its charge until it is known what became of it: Bind
// does not return before that, and until Bind returns the scheduler takes the pod for
// placed.
//
// The same binding is sent again meanwhile, to the same node, so that whichever request
// is stored first, the pod is where it is taken to be. What ends the wait:
//
//	the server says that it is stored      it is bound
//	a read finds it on the node            it is bound
//	a read finds it elsewhere, leaving,    it is not, and no request that is under way
//	replaced or gone                       can be stored any more
//	a read finds it without a node, and    it is not: the server has given up on
//	the last request that may be stored    whatever was under way
//	is older than requestHorizon
//
// Reads are those of the store (no resourceVersion), and not of the server's cache.

const (
	// requestHorizon is how long after it was sent a request may still be stored: the
	// server's own limit, a minute by default (--request-timeout), and some.
	requestHorizon = 65 * time.Second
	// resendPeriod is how long a binding is sent again. One that fails for so long fails
	// for a reason, as behind a webhook that is broken, and goes back to the queue once the
	// horizon has passed.
	resendPeriod = 30 * time.Second
	// SettleFirst and settleMost are the first and the longest rest between two looks.
	SettleFirst = 200 * time.Millisecond
	settleMost  = 5 * time.Second
	// settlesAtATime bounds the requests of all bindings in doubt: thousands may be when a
	// server comes back, which has enough to do.
	settlesAtATime = 32
	// catchUp is how long a binding that is refused, because of what the watch has not
	// told yet, waits for the watch.
	catchUp = 30 * time.Second
)

// WaitingPods are the pods without a node, as far as the watch has told.
type WaitingPods interface {
	// Waiting returns a pod that is not bound and not being deleted; nil if there is none.
	Waiting(name types.NamespacedName) *corev1.Pod
	// Set asks for a condition of a pod.
	Set(name types.NamespacedName, condition corev1.PodCondition) bool
}

// Binder binds pods, and says of none that it failed if it may have succeeded.
type Binder struct {
	conditions WaitingPods
	slots      chan struct{}
	// settle is the first rest between two looks, catchUp how long to wait for the watch.
	settle, catchUp time.Duration
	// sent is called before each request.
	sent func()
}

func New(c WaitingPods) *Binder {
	return &Binder{conditions: c, slots: make(chan struct{}, settlesAtATime), settle: SettleFirst, catchUp: catchUp, sent: func() { measure.APIWrites.WithLabelValues("bind").Inc() }}
}

// Hasten sets how long the first rest between two looks is, and how long a binding that is refused
// waits for the watch.
func (b *Binder) Hasten(settle, catchUp time.Duration) { b.settle, b.catchUp = settle, catchUp }

// Bind binds a pod. An error says that the pod is not bound to the node, and will not be
// by this call; unless the context has ended, when nothing is known.
func (b *Binder) Bind(ctx context.Context, pods typedcorev1.PodInterface, binding *corev1.Binding, options metav1.CreateOptions) error {
	b.sent()
	begin := time.Now()
	err := pods.Bind(ctx, binding, options)
	var doubted time.Time
	switch {
	case err == nil:
		return nil
	case InDoubt(err):
		doubted = begin
	case !apierrors.IsConflict(err):
		return err
	}
	logger := klog.FromContext(ctx).WithValues("pod", klog.KRef(binding.Namespace, binding.Name), "node", binding.Target.Name)
	logger.V(2).Info("It is not known whether a binding was stored; finding out", "err", err)
	for look := 0; ; look++ {
		// A conflict is looked into at once.
		if !doubted.IsZero() || look > 0 {
			if !Pause(ctx, SettleRest(b.settle, look)) {
				return err
			}
		}
		fate, again := b.look(ctx, pods, binding)
		switch {
		case ctx.Err() != nil:
			return err
		case fate == stored:
			measure.BindingsInDoubt.WithLabelValues("bound").Inc()
			return nil
		case fate == impossible:
			measure.BindingsInDoubt.WithLabelValues("not_bound").Inc()
			b.awaitWatch(ctx, binding)
			return again
		case fate == unknown:
			continue
		}
		// It has no node. What was refused for good cannot be stored; what is in doubt may be.
		if doubted.IsZero() || time.Since(doubted) > requestHorizon {
			measure.BindingsInDoubt.WithLabelValues("not_bound").Inc()
			return err
		}
		if look > 2 && b.conditions != nil {
			b.conditions.Set(types.NamespacedName{Namespace: binding.Namespace, Name: binding.Name},
				waitreason.Condition(corev1.PodReasonSchedulerError, fmt.Sprintf("binding the pod to node %q: %v; trying again", binding.Target.Name, err)))
		}
		if time.Since(begin) > resendPeriod {
			continue
		}
		b.sent()
		at := time.Now()
		if err = pods.Bind(ctx, binding, options); InDoubt(err) {
			doubted = at
		} else if err == nil {
			measure.BindingsInDoubt.WithLabelValues("bound").Inc()
			return nil
		}
	}
}

// bindFate is what a read says of a binding.
type bindFate int

const (
	unknown bindFate = iota
	stored
	// pending: the pod has no node.
	pending
	// impossible: the pod is not bound to the node, and cannot be any more.
	impossible
)

// look reads what became of a binding. If it is impossible, the error says why.
func (b *Binder) look(ctx context.Context, pods typedcorev1.PodInterface, binding *corev1.Binding) (bindFate, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return unknown, nil
	}
	conflict := func(text string, args ...any) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "pods/binding"}, binding.Name, fmt.Errorf(text, args...))
	}
	pod, err := pods.Get(ctx, binding.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return impossible, err
	case err != nil:
		klog.FromContext(ctx).V(3).Info("Reading what became of a binding failed; trying again", "pod", klog.KRef(binding.Namespace, binding.Name), "err", err)
		return unknown, nil
	case binding.UID != "" && pod.UID != binding.UID:
		return impossible, conflict("the pod was replaced by another of its name")
	case pod.Spec.NodeName == binding.Target.Name:
		return stored, nil
	case pod.Spec.NodeName != "":
		return impossible, conflict("the pod is on node %q", pod.Spec.NodeName)
	case pod.DeletionTimestamp != nil:
		return impossible, conflict("the pod is being deleted")
	}
	return pending, nil
}

// awaitWatch waits until the watch has told what a read has: until then the pod would be
// tried and refused over and over.
func (b *Binder) awaitWatch(ctx context.Context, binding *corev1.Binding) {
	if b.conditions == nil {
		return
	}
	name := types.NamespacedName{Namespace: binding.Namespace, Name: binding.Name}
	for end := time.Now().Add(b.catchUp); time.Now().Before(end); {
		if pod := b.conditions.Waiting(name); pod == nil || pod.UID != binding.UID || !Pause(ctx, b.settle) {
			return
		}
	}
}

// InDoubt reports whether a request that failed with an error may have been stored, or
// may be yet: all that is not the server's word that it was refused.
func InDoubt(err error) bool {
	if err == nil {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	code := status.Status().Code
	return code < http.StatusBadRequest || code == http.StatusRequestTimeout || code >= http.StatusInternalServerError
}

// SettleRest is how long to rest before the nth look: longer each time, and not the same
// for all.
func SettleRest(first time.Duration, n int) time.Duration {
	d := settleMost
	if n < 5 {
		d = min(first<<n, settleMost)
	}
	return d/2 + rand.N(d/2+1)
}

// Pause waits; false if the context ends before.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
