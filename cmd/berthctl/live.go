package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"
	"k8s.io/component-helpers/resource"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// The resources that a snapshot is made of, beside nodeTopologies.
var (
	nodesResource = corev1.SchemeGroupVersion.WithResource("nodes")
	podsResource  = corev1.SchemeGroupVersion.WithResource("pods")
)

// boundPods are those that hold something on a node.
const boundPods = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

// readCluster makes a snapshot of a live cluster: each kind is listed once.
func readCluster(ctx context.Context, dial dialer, at connection, settings nodeindex.Settings) (*cluster.Snapshot, error) {
	client, err := dial(at)
	if err != nil {
		return nil, fmt.Errorf("no cluster to take a snapshot of: %w; give --kubeconfig, or -f with a file that berthctl snapshot wrote", err)
	}
	var o nodeindex.Objects
	if o.Nodes, err = listed[corev1.Node](ctx, client, nodesResource, ""); err != nil {
		return nil, err
	}
	pods, err := listed[corev1.Pod](ctx, client, podsResource, boundPods)
	if err != nil {
		return nil, err
	}
	for _, pod := range pods {
		if pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			o.Pods = append(o.Pods, pod)
		}
	}
	o.Topologies, err = listed[v1alpha1.NodeTopology](ctx, client, nodeTopologies, "")
	if err != nil && !apierrors.IsNotFound(err) { // without the definition, devices are counted
		return nil, err
	}
	return nodeindex.SnapshotOf(o, settings, podRequests)
}

// podRequests returns what a pod requests, as the scheduler counts it.
func podRequests(pod *corev1.Pod) corev1.ResourceList {
	return resource.PodRequests(pod, resource.PodResourcesOptions{UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true})
}

// listed reads all objects of a kind, page by page.
func listed[T any](ctx context.Context, client dynamic.Interface, of schema.GroupVersionResource, fields string) ([]*T, error) {
	pages := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
		return client.Resource(of).List(ctx, opts)
	})
	var out []*T
	err := pages.EachListItem(ctx, metav1.ListOptions{FieldSelector: fields}, func(found runtime.Object) error {
		object := new(T)
		content := found.(*unstructured.Unstructured)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content.Object, object); err != nil {
			return fmt.Errorf("%q: %w; is this berthctl as new as the cluster?", content.GetName(), err)
		}
		out = append(out, object)
		return nil
	})
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("listing %s is not allowed; you need list on %s: %w", of.Resource, of.GroupResource(), err)
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", of.GroupResource(), err)
	}
	return out, nil
}
