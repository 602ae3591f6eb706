package dialect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestElasticQuota(t *testing.T) {
	for _, c := range []struct {
		name, text        string
		guaranteed, limit corev1.ResourceList
	}{
		{
			name:       "both",
			text:       "spec: {min: {nvidia.com/gpu: 8, cpu: 500m}, max: {nvidia.com/gpu: \"16\"}}",
			guaranteed: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8"), "cpu": resource.MustParse("500m")},
			limit:      corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("16")},
		},
		{name: "neither", text: "spec: {}", guaranteed: corev1.ResourceList{}, limit: corev1.ResourceList{}},
		{name: "no spec", text: "metadata: {name: x}", guaranteed: corev1.ResourceList{}, limit: corev1.ResourceList{}},
		{
			name:       "what is no amount is left out",
			text:       "spec: {min: {cpu: lots, memory: -1Gi, pods: 3, gpu: true}, max: 7}",
			guaranteed: corev1.ResourceList{"pods": resource.MustParse("3")},
			limit:      corev1.ResourceList{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			obj := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(c.text), &obj.Object); err != nil {
				t.Fatal(err)
			}
			// The decoder of the API server makes whole numbers int64.
			whole(obj.Object)
			guaranteed, limit := ElasticQuota(obj)
			if diff := cmp.Diff(c.guaranteed, guaranteed); diff != "" {
				t.Errorf("guaranteed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.limit, limit); diff != "" {
				t.Errorf("limit (-want +got):\n%s", diff)
			}
		})
	}
}

func whole(fields map[string]any) {
	for key, value := range fields {
		switch v := value.(type) {
		case float64:
			fields[key] = int64(v)
		case map[string]any:
			whole(v)
		}
	}
}
