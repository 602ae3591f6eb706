package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// workersAnnotation, on a RayCluster, is how many workers have work.
const workersAnnotation = "berth.dev/simulate-workers"

// every is how often an autoscaler looks: AUTOSCALER_UPDATE_INTERVAL_S is 5 in Ray, which is
// long to wait for here.
const every = time.Second

var (
	clusters = schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayclusters"}
	pods     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// autoscaler is that of every RayCluster.
type autoscaler struct{ client dynamic.Interface }

// workerGroup is what an autoscaler reads of a worker group.
type workerGroup struct {
	GroupName                          string
	Replicas, MinReplicas, MaxReplicas int
	ScaleStrategy                      struct{ WorkersToDelete []string }
}

// reconcile has every RayCluster as many workers as have work.
func (a autoscaler) reconcile(ctx context.Context) error {
	list, err := a.client.Resource(clusters).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing RayClusters: %w", err)
	}
	var failed error
	for i := range list.Items {
		if err := a.scale(ctx, &list.Items[i]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("scaling RayCluster %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err))
		}
	}
	return failed
}

// scale writes what has to change of one RayCluster, if it is autoscaled.
func (a autoscaler) scale(ctx context.Context, cluster *unstructured.Unstructured) error {
	var spec struct {
		EnableInTreeAutoscaling bool
		WorkerGroupSpecs        []workerGroup
	}
	said, there := cluster.GetAnnotations()[workersAnnotation]
	if !there {
		return nil
	}
	wanted, err := strconv.Atoi(said)
	if err != nil {
		return fmt.Errorf("annotation %s: %w", workersAnnotation, err)
	}
	encoded, err := json.Marshal(cluster.Object["spec"])
	if err == nil {
		err = json.Unmarshal(encoded, &spec)
	}
	if err != nil || !spec.EnableInTreeAutoscaling || len(spec.WorkerGroupSpecs) == 0 {
		return err
	}
	workers, err := a.workers(ctx, cluster, spec.WorkerGroupSpecs[0].GroupName)
	if err != nil {
		return err
	}
	patch := spec.WorkerGroupSpecs[0].patch(wanted, workers)
	if patch == nil {
		return nil
	}
	encoded, err = json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = a.client.Resource(clusters).Namespace(cluster.GetNamespace()).Patch(ctx, cluster.GetName(), types.JSONPatchType, encoded, metav1.PatchOptions{})
	return err
}

// workers returns the names of the pods of a worker group that do not leave, the oldest first.
func (a autoscaler) workers(ctx context.Context, cluster *unstructured.Unstructured, group string) ([]string, error) {
	list, err := a.client.Resource(pods).Namespace(cluster.GetNamespace()).List(ctx,
		metav1.ListOptions{LabelSelector: fmt.Sprintf("ray.io/cluster=%s,ray.io/group=%s", cluster.GetName(), group)})
	if err != nil {
		return nil, fmt.Errorf("listing workers: %w", err)
	}
	left := slices.DeleteFunc(list.Items, func(p unstructured.Unstructured) bool { return p.GetDeletionTimestamp() != nil })
	slices.SortFunc(left, func(a, b unstructured.Unstructured) int {
		before, after := a.GetCreationTimestamp(), b.GetCreationTimestamp()
		return cmp.Or(before.Compare(after.Time), cmp.Compare(a.GetName(), b.GetName()))
	})
	var names []string
	for i := range left {
		names = append(names, left[i].GetName())
	}
	return names, nil
}

// patch returns the change of a group's RayCluster that leads to a number of workers; nil if
// there is none. Workers that go are named, the youngest first, and it waits until those that
// it has named are gone.
func (g workerGroup) patch(wanted int, workers []string) []map[string]any {
	wanted = min(max(wanted, g.MinReplicas), g.MaxReplicas)
	leaving := slices.ContainsFunc(g.ScaleStrategy.WorkersToDelete, func(name string) bool { return slices.Contains(workers, name) })
	if leaving || wanted == g.Replicas {
		return nil
	}
	toDelete := []string{}
	if wanted < len(workers) {
		toDelete = workers[wanted:]
	}
	return []map[string]any{
		{"op": "add", "path": "/spec/workerGroupSpecs/0/replicas", "value": wanted},
		{"op": "add", "path": "/spec/workerGroupSpecs/0/scaleStrategy", "value": map[string]any{"workersToDelete": toDelete}},
	}
}
