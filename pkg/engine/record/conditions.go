package record

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/engine/measure"
)

// PodConditions writes conditions of a pod that has the metadata given, as its UID.
func PodConditions(ctx context.Context, client kubernetes.Interface, name types.NamespacedName, of map[string]any, conditions ...corev1.PodCondition) error {
	body, err := json.Marshal(map[string]any{"metadata": of, "status": map[string]any{"conditions": conditions}})
	if err != nil {
		return fmt.Errorf("encoding the condition of pod %q: %w", name.Name, err)
	}
	measure.APIWrites.WithLabelValues("condition").Inc()
	_, err = client.CoreV1().Pods(name.Namespace).Patch(ctx, name.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}
