package suspension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/dialect"
)

const (
	// Label marks an object that Berth suspended, and is taken off when Berth resumes it.
	// Whoever takes it off keeps Berth from doing so.
	Label = "berth.dev/suspended"
	// Annotation names who gets the room: namespace and name.
	Annotation = "berth.dev/suspended-for"

	marked = "true"
)

var (
	// ErrNotAllowed says that Berth has no right to suspend the object: see manifests/suspend.
	ErrNotAllowed = errors.New("no right to suspend it; kubectl apply -k manifests/suspend gives it")
	// ErrNotOurs says that the object was suspended already, or that it is another one now.
	ErrNotOurs = errors.New("it is suspended already, or another object has its name")
)

// Suspender suspends owners of pods and resumes them.
type Suspender struct {
	dynamic dynamic.Interface
	client  kubernetes.Interface
	// pods returns all pods that have not ended, as an informer knows them.
	pods func() []*corev1.Pod
	// wrote counts a request that writes.
	wrote func()
	clock clock.WithTicker
	queue workqueue.TypedRateLimitingInterface[key]

	mu sync.Mutex
	// under way are the owners that are suspended, and which of their pods are left.
	underWay map[key]sets.Set[types.UID]
	rights   map[schema.GroupResource]right
	// unreadable says since when objects are not allowed to be read.
	unreadable map[schema.GroupResource]time.Time
}

// key is one object.
type key struct {
	resource        schema.GroupVersionResource
	namespace, name string
	uid             types.UID
}

func (k key) String() string { return k.resource.Resource + " " + k.namespace + "/" + k.name }

// New returns a suspender. The pods are those of an informer, which are not changed; wrote
// is called for each request that writes.
func New(dynamicClient dynamic.Interface, client kubernetes.Interface, pods func() []*corev1.Pod, c clock.WithTicker, wrote func()) *Suspender {
	return &Suspender{
		dynamic: dynamicClient, client: client, pods: pods, clock: c, wrote: wrote,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[key](500*time.Millisecond, time.Minute)),
		underWay: map[key]sets.Set[types.UID]{}, rights: map[schema.GroupResource]right{},
		unreadable: map[schema.GroupResource]time.Time{},
	}
}

// Suspend suspends an owner for a claimant, which is named in its annotation. It is resumed
// by Run once its pods are gone. The error is ErrNotAllowed, ErrNotOurs, or that of a request.
func (s *Suspender) Suspend(ctx context.Context, owner dialect.OwnerRef, claimant string) error {
	kind, ok := owner.Suspendable()
	resource, _ := owner.Readable()
	if !ok {
		return fmt.Errorf("suspending %s: its kind cannot be suspended", owner)
	}
	k := key{resource: resource, namespace: owner.Namespace, name: owner.Name, uid: owner.UID}
	obj, err := s.dynamic.Resource(k.resource).Namespace(k.namespace).Get(ctx, k.name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("suspending %s: %w", owner, ErrNotAllowed)
	case err != nil:
		return fmt.Errorf("reading %s to suspend it: %w", owner, err)
	case obj.GetUID() != owner.UID, kind.Suspended(obj):
		return fmt.Errorf("suspending %s: %w", owner, ErrNotOurs)
	}
	err = s.patch(ctx, k, obj, kind, true, marked, claimant)
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("suspending %s: %w", owner, ErrNotAllowed)
	case err != nil:
		return fmt.Errorf("suspending %s: %w", owner, err)
	}
	s.watch(k, kind, obj)
	return nil
}

// Affected returns the pods that go when an owner is suspended, whichever gang they are of:
// those of all Jobs of a JobSet.
func (s *Suspender) Affected(ctx context.Context, owner dialect.OwnerRef) ([]*corev1.Pod, error) {
	kind, ok := owner.Suspendable()
	resource, _ := owner.Readable()
	if !ok {
		return nil, fmt.Errorf("looking whom suspending %s affects: its kind cannot be suspended", owner)
	}
	obj, err := s.dynamic.Resource(resource).Namespace(owner.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading %s to see whom suspending it affects: %w", owner, err)
	}
	return s.podsOf(obj, kind), nil
}

// podsOf returns the pods of an object, of those that have not ended.
func (s *Suspender) podsOf(obj *unstructured.Unstructured, kind dialect.Suspendable) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range s.pods() {
		if kind.Has(obj, pod) {
			out = append(out, pod)
		}
	}
	return out
}

// watch waits for the pods of an object to go, or has it resumed if there are none.
func (s *Suspender) watch(k key, kind dialect.Suspendable, obj *unstructured.Unstructured) {
	// The lock is held while it is looked: a pod that goes meanwhile is reported after it.
	s.mu.Lock()
	defer s.mu.Unlock()
	left := sets.New[types.UID]()
	for _, pod := range s.podsOf(obj, kind) {
		if !s.unanswered(pod) {
			left.Insert(pod.UID)
		}
	}
	s.underWay[k] = left
	if left.Len() == 0 {
		s.queue.Add(k)
	}
}

// Gone takes in that a pod is gone or has ended, after the informer has.
func (s *Suspender) Gone(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, left := range s.underWay {
		if left.Has(uid) {
			left.Delete(uid)
			if left.Len() == 0 {
				s.queue.Add(k)
			}
		}
	}
}

// patch sets the field and the mark of an object as it was read, or fails with a conflict.
// The empty mark takes off both.
func (s *Suspender) patch(ctx context.Context, k key, obj *unstructured.Unstructured, kind dialect.Suspendable, suspend bool, mark, claimant string) error {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	body := map[string]any{"metadata": map[string]any{
		"uid": string(k.uid), "resourceVersion": obj.GetResourceVersion(),
		"labels": map[string]any{Label: text(mark)}, "annotations": map[string]any{Annotation: text(claimant)},
	}}
	if err := unstructured.SetNestedField(body, suspend, kind.Field...); err != nil {
		return err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	s.wrote()
	_, err = s.dynamic.Resource(k.resource).Namespace(k.namespace).Patch(ctx, k.name, types.MergePatchType, data, metav1.PatchOptions{})
	return err
}
