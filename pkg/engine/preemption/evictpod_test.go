package preemption

import (
	"errors"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

// An eviction whose answer is lost is asked for again only if the pod does not go.
func TestEvictionWithLostAnswers(t *testing.T) {
	leaving := enginetest.PodOn("u", "n")
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{}, []string{"a/b"}
	ended := enginetest.PodOn("u", "n")
	ended.Status.Phase = corev1.PodSucceeded
	errChanged := apierrors.NewConflict(corev1.Resource("pods"), "p", errors.New("it was modified"))
	for _, c := range []struct {
		name  string
		pod   *corev1.Pod
		err   error
		goes  bool
		asked int
	}{
		{"it has ended", ended, errChanged, true, 1},
		{"it has changed, again and again", enginetest.PodOn("u", "n"), errChanged, false, evictTries},
		{"it has changed, and another has its name", enginetest.PodOn("v", "n"), errChanged, true, 1},
		{"it goes", leaving, enginetest.ErrBroken, true, 1},
		{"it is gone", nil, enginetest.ErrBroken, true, 1},
		{"another has its name", enginetest.PodOn("v", "n"), enginetest.ErrBroken, true, 1},
		{"it stays", enginetest.PodOn("u", "n"), enginetest.ErrBroken, false, evictTries},
		{"refused", enginetest.PodOn("u", "n"), enginetest.ErrRefused, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := fake.NewClientset()
				if c.pod != nil {
					c.pod.ResourceVersion = "7"
					server = fake.NewClientset(c.pod)
				}
				asked := 0
				server.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
					asked++
					return true, nil, c.err
				})
				err := EvictPod(t.Context(), server, types.NamespacedName{Namespace: "ns", Name: "p"}, "u", "1")
				if (err == nil) != c.goes || asked != c.asked {
					t.Errorf("got %v after %d requests; want it to go: %t, after %d", err, asked, c.goes, c.asked)
				}
			})
		})
	}
}
