package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/berth-dev/berth/pkg/engine"
)

// nullCommand is the scheduler that does not look. This program starts itself as it.
func nullCommand() *cobra.Command {
	var kubeconfig string
	cmd := &cobra.Command{
		Use:    null,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return bindBlindly(cmd.Context(), kubeconfig) },
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "Who it is.")
	return cmd
}

// bindBlindly binds each pod that asks for the scheduler "null" to the next node, as many at
// a time as Berth does.
func bindBlindly(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading %q: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = -1, 0
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the nodes: %w", err)
	}
	pods := make(chan *corev1.Pod, 1<<17)
	var workers sync.WaitGroup
	for worker := range engine.DefaultBindings {
		workers.Go(func() {
			at := worker
			for pod := range pods {
				at += engine.DefaultBindings
				binding := &corev1.Binding{
					ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
					Target:     corev1.ObjectReference{Kind: "Node", Name: nodes.Items[at%len(nodes.Items)].Name},
				}
				// A pod that is gone needs none.
				_ = client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{})
			}
		})
	}
	defer workers.Wait()
	defer close(pods)
	return eachPod(ctx, client, fields.Set{"spec.schedulerName": null, "spec.nodeName": ""}.AsSelector(), func(pod *corev1.Pod) { pods <- pod })
}

// eachPod calls a function for each pod that is there or is made, until the context is done.
func eachPod(ctx context.Context, client kubernetes.Interface, selector fields.Selector, each func(*corev1.Pod)) error {
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: selector.String()})
	if err != nil {
		return fmt.Errorf("listing the pods: %w", err)
	}
	for i := range list.Items {
		each(&list.Items[i])
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, podWatch{client, selector})
	if err != nil {
		return fmt.Errorf("watching the pods: %w", err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Added {
			each(pod)
		}
	}
	return nil
}

// podWatch watches pods for a RetryWatcher.
type podWatch struct {
	client   kubernetes.Interface
	selector fields.Selector
}

// WatchWithContext watches from options.ResourceVersion on.
func (w podWatch) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.FieldSelector = w.selector.String()
	return w.client.CoreV1().Pods(metav1.NamespaceAll).Watch(ctx, options)
}
