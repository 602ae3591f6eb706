package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
)

// drain is cordoning nodes and evicting their pods.
type drain struct {
	Fault  // the cordon
	client kubernetes.Interface
	nodes  []string
	say    func(string)
}

// Drain cordons nodes and evicts their pods through the Eviction API, until none is left but
// those of DaemonSets, or ctx ends. Disruption budgets hold: a pod that one keeps is asked
// for again. Undone, the nodes are schedulable again; what was evicted does not come back to
// them by itself.
func Drain(client kubernetes.Interface, nodes []string, say func(string)) Fault {
	return drain{Cordon(client, nodes), client, nodes, say}
}

func (d drain) Apply(ctx context.Context) error {
	if err := d.Fault.Apply(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	last := ""
	for {
		left, kept := 0, ""
		for _, node := range d.nodes {
			n, why, err := d.evict(ctx, node)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("draining node %q: %w", node, err)
			}
			if left += n; kept == "" {
				kept = why
			}
		}
		line := fmt.Sprintf("%d pods are left", left)
		if kept != "" {
			line += "; " + kept
		}
		if line != last && ctx.Err() == nil {
			d.say(line)
			last = line
		}
		if left == 0 && ctx.Err() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("the time is over: %s; the nodes stay cordoned", last)
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// evict asks for each pod of a node, and returns how many are left and why one of them is
// kept, if one is.
func (d drain) evict(ctx context.Context, node string) (left int, kept string, err error) {
	pods, err := d.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String()})
	if err != nil {
		return 0, "", err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "DaemonSet" || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
			continue
		}
		left++
		if pod.DeletionTimestamp != nil {
			continue
		}
		err := d.client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))},
		})
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		case apierrors.IsTooManyRequests(err):
			kept = fmt.Sprintf("pod %s/%s is kept by a disruption budget", pod.Namespace, pod.Name)
		default:
			return 0, "", fmt.Errorf("evicting pod %q: %w", pod.Namespace+"/"+pod.Name, err)
		}
	}
	return left, kept, nil
}
