// Package enginetest makes objects for the tests of the packages below pkg/engine.
package enginetest

import (
	"errors"
	"io"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Answers of the API server to a write.
var (
	ErrLost    = io.ErrUnexpectedEOF
	ErrRefused = apierrors.NewForbidden(schema.GroupResource{Resource: "pods/binding"}, "p", errors.New("no"))
	ErrBroken  = apierrors.NewInternalError(errors.New("etcdserver: request timed out"))
)

// Ours reports whether pods of a scheduler are placed by the one that is tested.
func Ours(name string) bool { return name == "berth" }

// Pod is a pod of namespace ns that has no node.
func Pod(name string, conditions ...corev1.PodCondition) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{SchedulerName: "berth"},
		Status:     corev1.PodStatus{Conditions: conditions},
	}
}

// PodOn is a pod "p" of namespace ns, on a node; "" for none.
func PodOn(uid types.UID, node string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: uid}}
	p.Spec.NodeName = node
	return p
}

// NativeGroup is a native group of namespace ns.
func NativeGroup(name string, size int32) *schedulingv1beta1.PodGroup {
	return &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: size}}},
	}
}

// Kind is the kind of object that declares gangs of a dialect.
func Kind(t *testing.T, of gang.Dialect) dialect.Kind {
	t.Helper()
	for _, kind := range dialect.Kinds() {
		if kind.Dialect == of {
			return kind
		}
	}
	t.Fatalf("%s has no kind", of)
	return dialect.Kind{}
}

// Eventually waits until a check holds, for a minute at most.
func Eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !check(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for a minute, and it is not so that %s", what)
		}
	}
}
