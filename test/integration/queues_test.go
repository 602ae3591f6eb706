package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

var queues = v1alpha1.GroupVersion.WithResource("queues")

// The API server refuses what it can see to be wrong, and says which field.
func TestQueueIsValidated(t *testing.T) {
	e := stock(t)
	for i, c := range []struct {
		name, spec string
		refused    string // "" for a queue that is taken
	}{
		{"nothing", `{}`, ""},
		{"everything", `{resources: [{name: nvidia.com/gpu, guaranteed: 8, limit: "16", weight: 3}, {name: memory, guaranteed: 1Ti, limit: 2Ti}], order: FIFO, preemption: {withinQueue: Never, reclaim: LowerPriority, minRuntime: 10m}, fairShareHalfLife: 24h}`, ""},
		{"limit is guarantee", `{resources: [{name: cpu, guaranteed: "1", limit: 1000m}]}`, ""},
		{"limit below guarantee", `{resources: [{name: nvidia.com/gpu, guaranteed: 9, limit: 8}]}`, "spec.resources[0]: Invalid value: limit must be at least guaranteed"},
		{"limit below guarantee in other units", `{resources: [{name: memory, guaranteed: 1Ti, limit: 1000Gi}]}`, "limit must be at least guaranteed"},
		{"negative guarantee", `{resources: [{name: cpu, guaranteed: -1}]}`, "spec.resources[0].guaranteed: Invalid value: -1: guaranteed must be a quantity, and not negative"},
		{"negative limit", `{resources: [{name: cpu, limit: "-1"}]}`, "limit must be a quantity, and not negative"},
		{"no quantity", `{resources: [{name: cpu, limit: many}]}`, `spec.resources[0].limit: Invalid value: "many": limit must be a quantity`},
		{"negative weight", `{resources: [{name: cpu, weight: -1}]}`, "spec.resources[0].weight"},
		{"one resource twice", `{resources: [{name: cpu}, {name: cpu}]}`, "Duplicate value"},
		{"its own parent", `{parent: NAME}`, "spec.parent: a queue cannot be its own parent"},
		{"no such order", `{order: Random}`, `Unsupported value: "Random": supported values: "Fair", "Priority", "FIFO"`},
		{"no such policy", `{preemption: {withinQueue: Any}}`, `Unsupported value: "Any"`},
		{"negative time", `{preemption: {minRuntime: -1m}}`, "minRuntime must not be negative"},
		{"no time", `{fairShareHalfLife: soon}`, "fairShareHalfLife"},
		{"half-life of nothing", `{fairShareHalfLife: 0s}`, "fairShareHalfLife must be from 1s to 8760h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("validated-%d", i)
			text := "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {name: " + name + "}\nspec: " + strings.ReplaceAll(c.spec, "NAME", name)
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
				t.Fatal(err)
			}
			_, err := e.dynamic.Resource(queues).Create(t.Context(), object, metav1.CreateOptions{})
			if err == nil {
				t.Cleanup(func() {
					if err := e.dynamic.Resource(queues).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			switch {
			case c.refused == "" && err != nil:
				t.Error(err)
			case c.refused != "" && err == nil:
				t.Errorf("it was taken; want a refusal with %q", c.refused)
			case c.refused != "" && !strings.Contains(err.Error(), c.refused):
				t.Errorf("it was refused with %q; want %q in it", err, c.refused)
			}
		})
	}
}
