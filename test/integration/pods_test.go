package integration

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// pod is a pod for Berth that asks for GPUs and runs for ever.
func pod(name string, gpus int64, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			SchedulerName: "berth",
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "none"}},
		},
	}
	if gpus > 0 {
		quantity := *resource.NewQuantity(gpus, resource.DecimalSI)
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{localcluster.GPUResource: quantity}
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func labels(pairs ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { set(p.Labels, pairs) }
}

func annotations(pairs ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { set(p.Annotations, pairs) }
}

func set(target map[string]string, pairs []string) {
	for i := 0; i < len(pairs); i += 2 {
		target[pairs[i]] = pairs[i+1]
	}
}

// gangOf makes the pods prefix-0 to prefix-(n-1).
func gangOf(prefix string, n int, gpus int64, edits ...func(*corev1.Pod)) []*corev1.Pod {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		pods[i] = pod(fmt.Sprintf("%s-%d", prefix, i), gpus, edits...)
	}
	return pods
}

// ours declares a gang in Berth's own words.
func ours(name string, size int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Labels["berth.dev/gang"] = name
		p.Annotations["berth.dev/gang-size"] = fmt.Sprint(size)
	}
}

// create creates pods, several at a time.
func (e *environment) create(t *testing.T, namespace string, pods ...*corev1.Pod) {
	t.Helper()
	if err := e.tryCreate(t.Context(), namespace, pods); err != nil {
		t.Fatalf("creating pods: %v", err)
	}
}

// createBehind creates pods while the test goes on.
func (e *environment) createBehind(t *testing.T, namespace string, pods ...*corev1.Pod) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		if err := e.tryCreate(t.Context(), namespace, pods); err != nil && t.Context().Err() == nil {
			t.Errorf("creating pods: %v", err)
		}
	}()
}

func (e *environment) tryCreate(ctx context.Context, namespace string, pods []*corev1.Pod) error {
	const writers = 8
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, p := range pods {
		group.Go(func() error {
			_, err := e.client.CoreV1().Pods(namespace).Create(ctx, p, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}

// bound returns how many pods of a namespace have a node.
func (e *environment) bound(ctx context.Context, namespace string) (int, error) {
	pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != "" {
			n++
		}
	}
	return n, nil
}

// expectBound waits until exactly n pods of a namespace have a node.
func (e *environment) expectBound(t *testing.T, namespace string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods are bound", n), func(ctx context.Context) error {
		got, err := e.bound(ctx, namespace)
		if err == nil && got != n {
			err = fmt.Errorf("%d are", got)
		}
		return err
	})
}
