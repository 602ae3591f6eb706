package rig

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pod that is evicted as Berth does it is gone, and whoever wants to know is told.
func TestEvict(t *testing.T) {
	s, err := NewServer(1, nil, func(*corev1.Pod) {})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	s.OnEvict(func(pod *corev1.Pod) { told = append(told, pod.Name) })
	s.Set(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "p", UID: "u"}})
	evict := func() error {
		return s.Clients().Kubernetes.PolicyV1().Evictions(Namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "p"}})
	}
	if err := evict(); err != nil || len(told) != 1 || len(s.pods) != 0 {
		t.Errorf("evicting says %v; told of %v, %d pods are left", err, told, len(s.pods))
	}
	if err := evict(); !apierrors.IsNotFound(err) {
		t.Errorf("evicting one that is gone says %v", err)
	}
}
