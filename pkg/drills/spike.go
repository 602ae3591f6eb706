package drills

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// spikePods of one GPU are what the queue of the spike is guaranteed.
	spikePods = 300
	// spikeGangs borrow all racks that are empty.
	spikeGangs = nodeCount/rackSize - gangs

	servingName, borrowingName = "serving", "borrowing"
	queueLabel                 = "berth.dev/queue"
)

// spike: gangs borrow what a queue is guaranteed, and that asks for all of it at once.
func spike(ctx context.Context, c *course) error {
	queues := c.dynamic.Resource(v1alpha1.QueuesResource)
	for name, guaranteed := range map[string]int64{servingName: spikePods, borrowingName: 0} {
		if _, err := queues.Create(ctx, queue(name, guaranteed), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating queue %q: %w", name, err)
		}
	}
	var names []string
	for i := range spikeGangs {
		names = append(names, fmt.Sprintf("%s-%d", borrowingName, i+1))
		if err := c.submit(ctx, names[i], ask{queue: borrowingName}); err != nil {
			return err
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	deployments := c.client.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(ctx, server(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating deployment %q: %w", servingName, err)
	}
	scale := func(replicas int32) error {
		to := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: servingName, Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
		if _, err := deployments.UpdateScale(ctx, servingName, to, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("scaling deployment %q: %w", servingName, err)
		}
		c.moment("deployment %s is scaled to %d pods", servingName, replicas)
		return nil
	}
	c.begin()
	if err := scale(spikePods); err != nil {
		return err
	}
	for _, part := range []int{1, spikePods / 2, spikePods} {
		err := c.await(ctx, fmt.Sprintf("%d pods of it run", part), func(l *ledger) string {
			if n := l.serving(); n < part {
				return fmt.Sprintf("%d run", n)
			}
			return ""
		})
		if err != nil {
			return err
		}
		c.moment("%d pods of it run", part)
	}
	var stopped []string
	_ = c.observer.check(func(l *ledger) {
		for _, name := range sortedKeys(c.sizes) {
			if len(l.of(name, nil)) < c.sizes[name] {
				stopped = append(stopped, name)
			}
		}
	})
	c.moment("stopped for it, of %d gangs: %s", len(c.sizes), strings.Join(stopped, ", "))
	if err := scale(0); err != nil {
		return err
	}
	if err := c.untilWhole(ctx); err != nil {
		return err
	}
	if err := deployments.Delete(ctx, servingName, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting deployment %q: %w", servingName, err)
	}
	if err := c.withdrawAll(ctx, names...); err != nil {
		return err
	}
	for _, name := range []string{servingName, borrowingName} {
		if err := queues.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("deleting queue %q: %w", name, err)
		}
	}
	return nil
}

// serving counts the pods of the spike that run.
func (l *ledger) serving() (n int) {
	for _, p := range l.pods {
		if p.gang == "" && p.running && !p.leaving {
			n++
		}
	}
	return n
}

func queue(name string, guaranteed int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Queue", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"namespaces": []any{namespace}, "resources": []any{map[string]any{
			"name": string(localcluster.GPUResource), "guaranteed": guaranteed,
		}}},
	}}
}

// server is the deployment that is scaled.
func server() *appsv1.Deployment {
	labels := map[string]string{"app": servingName, queueLabel: servingName}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: servingName, Namespace: namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": servingName}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{SchedulerName: "berth", Containers: []corev1.Container{{
					Name: "main", Image: "none", Resources: corev1.ResourceRequirements{
						Limits: corev1.ResourceList{localcluster.GPUResource: *resource.NewQuantity(1, resource.DecimalSI)},
					},
				}}},
			},
		},
	}
}
