package ganggate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type gates map[string]bool

func (g gates) Open(pod *corev1.Pod, group string) bool { return g[pod.Namespace+"/"+group] }

func TestPreEnqueue(t *testing.T) {
	plugin := New(gates{"ns/open": true})
	for _, c := range []struct {
		name, namespace string
		group           string
		want            bool
	}{
		{"a plain pod passes", "ns", "", true},
		{"a pod whose gate is open passes", "ns", "open", true},
		{"a pod whose gate is shut waits", "ns", "shut", false},
		{"a gate is of one namespace", "other", "open", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace}}
			if c.group != "" {
				pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &c.group}
			}
			if got := plugin.PreEnqueue(t.Context(), pod).IsSuccess(); got != c.want {
				t.Errorf("passes: %v, want %v", got, c.want)
			}
		})
	}
}
