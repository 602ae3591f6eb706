package suspension

import (
	"context"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
)

const (
	// mostOwners bounds a chain of owners.
	mostOwners = 8
	// rightsAge is for how long it is believed what Berth may do.
	rightsAge = time.Minute
)

type right struct {
	may bool
	at  time.Time
}

// Departures returns how the pods of a gang leave: those of one controller together, in the
// order of the pods. It reads each owner once. An error is that of a request other than one
// that is not allowed.
func (s *Suspender) Departures(ctx context.Context, pods []*corev1.Pod) ([]dialect.Departure, error) {
	var order []dialect.OwnerRef
	byController := map[dialect.OwnerRef][]*corev1.Pod{}
	for _, pod := range pods {
		ref, _ := dialect.Controller(pod)
		if byController[ref] == nil {
			order = append(order, ref)
		}
		byController[ref] = append(byController[ref], pod)
	}
	read := map[dialect.OwnerRef]*unstructured.Unstructured{}
	may := func(r schema.GroupResource) bool { return s.MaySuspend(ctx, r) }
	out := make([]dialect.Departure, 0, len(order))
	for _, ref := range order {
		owners, err := s.owners(ctx, ref, read)
		if err != nil {
			return nil, err
		}
		out = append(out, dialect.Depart(byController[ref], owners, may))
	}
	return out, nil
}

// Owners returns the controllers of a pod, from the nearest: the last that is known may have no
// object, if it could not be read. An error is that of a request other than one that is not
// allowed.
func (s *Suspender) Owners(ctx context.Context, pod *corev1.Pod) ([]dialect.OwnerObject, error) {
	ref, _ := dialect.Controller(pod)
	return s.owners(ctx, ref, map[dialect.OwnerRef]*unstructured.Unstructured{})
}

// owners reads the chain of controllers that begins with one.
func (s *Suspender) owners(ctx context.Context, ref dialect.OwnerRef, read map[dialect.OwnerRef]*unstructured.Unstructured) ([]dialect.OwnerObject, error) {
	var out []dialect.OwnerObject
	for ref.Name != "" && len(out) < mostOwners {
		o := dialect.OwnerObject{OwnerRef: ref, Object: read[ref]}
		if resource, readable := ref.Readable(); readable && o.Object == nil && !s.denied(resource.GroupResource()) {
			obj, err := s.dynamic.Resource(resource).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			switch {
			case apierrors.IsForbidden(err):
				s.deny(ctx, resource.GroupResource())
			case apierrors.IsNotFound(err):
			case err != nil:
				return nil, err
			case obj.GetUID() == ref.UID:
				o.Object, read[ref] = obj, obj
			}
		}
		out = append(out, o)
		if o.Object == nil {
			break
		}
		ref, _ = dialect.Controller(o.Object)
	}
	return out, nil
}

// Any reports whether Berth may suspend objects of any kind: if not, no owner need be read.
func (s *Suspender) Any(ctx context.Context) bool {
	for _, kind := range dialect.Suspendables() {
		if s.MaySuspend(ctx, kind.Resource.GroupResource()) {
			return true
		}
	}
	return false
}

// denied reports whether objects of a resource were not allowed to be read a while ago.
func (s *Suspender) denied(r schema.GroupResource) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, some := s.unreadable[r]
	return some && time.Since(at) < rightsAge
}

// deny takes in that they are not, and says so the first time.
func (s *Suspender) deny(ctx context.Context, r schema.GroupResource) {
	s.mu.Lock()
	_, said := s.unreadable[r]
	s.unreadable[r] = time.Now()
	s.mu.Unlock()
	if !said {
		klog.FromContext(ctx).Info("Berth may not read owners of gangs, and does not know whether those survive an eviction; kubectl apply -k manifests/owners gives the right", "resource", r)
	}
}

// MaySuspend reports whether Berth may suspend objects of a resource, by asking the API server.
func (s *Suspender) MaySuspend(ctx context.Context, r schema.GroupResource) bool {
	s.mu.Lock()
	known, ok := s.rights[r]
	s.mu.Unlock()
	if ok && time.Since(known.at) < rightsAge {
		return known.may
	}
	review, err := s.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Group: r.Group, Resource: r.Resource, Verb: "patch"}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rights[r] = right{may: review.Status.Allowed, at: time.Now()}
	return review.Status.Allowed
}
