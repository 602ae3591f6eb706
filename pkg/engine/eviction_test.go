package engine

import (
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// An eviction whose answer is lost is asked for again only if the pod does not go.
func TestEvictionWithLostAnswers(t *testing.T) {
	leaving := podOf("u", "n")
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{}, []string{"a/b"}
	for _, c := range []struct {
		name  string
		pod   *corev1.Pod
		err   error
		goes  bool
		asked int
	}{
		{"it goes", leaving, errBroken, true, 1},
		{"it is gone", nil, errBroken, true, 1},
		{"another has its name", podOf("v", "n"), errBroken, true, 1},
		{"it stays", podOf("u", "n"), errBroken, false, evictTries},
		{"refused", podOf("u", "n"), errRefused, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := fake.NewClientset()
				if c.pod != nil {
					server = fake.NewClientset(c.pod)
				}
				asked := 0
				server.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
					asked++
					return true, nil, c.err
				})
				err := evictPod(t.Context(), server, types.NamespacedName{Namespace: "ns", Name: "p"}, "u")
				if (err == nil) != c.goes || asked != c.asked {
					t.Errorf("got %v after %d requests; want it to go: %t, after %d", err, asked, c.goes, c.asked)
				}
			})
		})
	}
}
