package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// queueCommand executes the commands of scenarios about queues and evictions.
func (c *caseRun) queueCommand(command string, args []string) {
	c.t.Helper()
	switch command {
	case "queue":
		c.queue(c.t, args[0], strings.ReplaceAll(strings.Join(args[1:], " "), "NAMESPACE", c.namespace))
	case "priority":
		var value int32
		if _, err := fmt.Sscan(args[1], &value); err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
		c.priorityClass(c.t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Value: value})
	case "budget":
		c.disruptionBudget(args)
	case "budgetsees":
		eventually(c.t, c.where, func(ctx context.Context) error {
			pdb, err := c.client.PolicyV1().PodDisruptionBudgets(c.namespace).Get(ctx, args[0], metav1.GetOptions{})
			if err == nil && (fmt.Sprint(pdb.Status.CurrentHealthy) != args[1] || pdb.Status.ObservedGeneration < pdb.Generation) {
				err = fmt.Errorf("it sees %d healthy pods", pdb.Status.CurrentHealthy)
			}
			return err
		})
	case "leaving":
		count := func(ctx context.Context) (string, error) {
			pods, err := c.leavingPods(ctx)
			return fmt.Sprint(len(pods)), err
		}
		eventually(c.t, c.where, func(ctx context.Context) error {
			n, err := count(ctx)
			if err == nil && n != args[0] {
				err = fmt.Errorf("%s pods are leaving", n)
			}
			return err
		})
		never(c.t, c.where+": another number of pods is", 8*time.Second, func(ctx context.Context) (bool, error) {
			n, err := count(ctx)
			return n != args[0], err
		})
	case "letgo-leaving":
		pods, err := c.leavingPods(c.t.Context())
		for i := range pods {
			err = c.client.CoreV1().Pods(c.namespace).Delete(c.t.Context(), pods[i].Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		}
		if err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
	case "keeps":
		while, err := time.ParseDuration(args[0])
		if err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
		never(c.t, c.where+": it says something else", while, func(ctx context.Context) (bool, error) {
			pod, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, args[1], metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			return !slices.ContainsFunc(pod.Status.Conditions, func(had corev1.PodCondition) bool {
				return had.Type == corev1.PodScheduled && had.Reason == args[2]
			}), nil
		})
	}
}

// leavingPods returns the pods that are being deleted.
func (c *caseRun) leavingPods(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp == nil }), nil
}

// disruptionBudget makes or changes a budget: name, label, and minAvailable.
func (c *caseRun) disruptionBudget(args []string) {
	c.t.Helper()
	key, value, _ := strings.Cut(args[1], "=")
	least := intstr.Parse(strings.TrimPrefix(args[2], "minAvailable="))
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: args[0]},
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}}
	budgets := c.client.PolicyV1().PodDisruptionBudgets(c.namespace)
	_, err := budgets.Create(c.t.Context(), pdb, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		eventually(c.t, c.where, func(ctx context.Context) error {
			had, err := budgets.Get(ctx, args[0], metav1.GetOptions{})
			if err != nil {
				return err
			}
			had.Spec = pdb.Spec
			_, err = budgets.Update(ctx, had, metav1.UpdateOptions{})
			return err
		})
		return
	}
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
}
