package drill

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Watch says in a line what some nodes and the pods on them are like.
func Watch(client kubernetes.Interface, nodes []string) func(context.Context) (string, error) {
	ours := map[string]bool{}
	for _, name := range nodes {
		ours[name] = true
	}
	return func(ctx context.Context) (string, error) {
		allNodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return "", err
		}
		allPods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return "", err
		}
		ready := 0
		for i := range allNodes.Items {
			if node := &allNodes.Items[i]; ours[node.Name] && isReady(node) {
				ready++
			}
		}
		running, leaving, failed, waiting := 0, 0, 0, 0
		for i := range allPods.Items {
			pod := &allPods.Items[i]
			switch here := ours[pod.Spec.NodeName]; {
			case pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil:
				waiting++
			case !here:
			case pod.Status.Phase == v1.PodFailed:
				failed++
			case pod.DeletionTimestamp != nil:
				leaving++
			case pod.Status.Phase == v1.PodRunning:
				running++
			}
		}
		return fmt.Sprintf("of %d nodes %d are ready; pods on them: %d running, %d leaving, %d failed; pods without a node: %d",
			len(nodes), ready, running, leaving, failed, waiting), nil
	}
}

func isReady(node *v1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == v1.NodeReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}
