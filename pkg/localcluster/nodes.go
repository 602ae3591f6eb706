package localcluster

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// nodeWriters is how many nodes are written at a time.
const nodeWriters = 16

// AddNodes adds a pool of nodes that are Ready and carry no taint. Nodes are
// named node-00001 and on; a second pool goes on where the first ended, in a
// rack and a block of its own.
func (c *Cluster) AddNodes(ctx context.Context, pool Nodes) error {
	pool, err := pool.withDefaults()
	if err != nil {
		return fmt.Errorf("adding nodes: %w", err)
	}
	c.mu.Lock()
	var nodes []*v1.Node
	nodes, c.next = layOut(c.next, pool)
	c.mu.Unlock()

	c.options.Progress(fmt.Sprintf("adding %d %s nodes", pool.Count, pool.Model.Name))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(nodeWriters)
	for _, node := range nodes {
		group.Go(func() error {
			if err := addNode(ctx, c.client, node); err != nil {
				return fmt.Errorf("adding node %q: %w", node.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// addNode creates a node, with its status, and removes the taint that
// admission (TaintNodesByCondition) puts on whatever is created.
func addNode(ctx context.Context, client kubernetes.Interface, node *v1.Node) error {
	now := metav1.Now()
	for i := range node.Status.Conditions {
		node.Status.Conditions[i].LastHeartbeatTime = now
		node.Status.Conditions[i].LastTransitionTime = now
	}
	if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, []byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{})
	return err
}
