package drills

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	namespace = "drills"
	// nodeCount nodes of nodeGPUs GPUs are in racks of rackSize, in zones of equal size.
	nodeCount, rackSize, nodeGPUs, zones = 96, 8, 8, 3
	// gangs of gangSize pods run, each pod of a whole node.
	gangs, gangSize = 6, rackSize - 1
	// devicesAnnotation says which devices a pod was given.
	devicesAnnotation = "berth.dev/devices"
)

// ask is what a gang asks for beside its rack; "" for nothing.
type ask struct{ onLoss, queue string }

// job is a gang that requires a rack: an Indexed Job all of whose pods run at one time. Of each
// index any number of pods may be lost, and the wait before the next is 10 s and not longer with
// each. Pods are evicted from nodes that are not ready once they have tolerated that for a while.
func job(name string, size int32, tolerates int64, asks ask) *batchv1.Job {
	indexed, often := batchv1.IndexedCompletion, int32(100)
	toleration := func(key string) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &tolerates}
	}
	labels, annotations := map[string]string{}, map[string]string{"berth.dev/gang-size": strconv.Itoa(int(size)), "berth.dev/required-topology": "rack"}
	if asks.onLoss != "" {
		annotations["berth.dev/on-loss"] = asks.onLoss
	}
	if asks.queue != "" {
		labels[queueLabel] = asks.queue
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: batchv1.JobSpec{
			Completions: &size, Parallelism: &size, CompletionMode: &indexed, BackoffLimitPerIndex: &often,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec: corev1.PodSpec{
					SchedulerName: "berth", RestartPolicy: corev1.RestartPolicyNever,
					Tolerations: []corev1.Toleration{toleration(corev1.TaintNodeNotReady), toleration(corev1.TaintNodeUnreachable)},
					Containers: []corev1.Container{{Name: "main", Image: "none", Resources: corev1.ResourceRequirements{
						Limits: corev1.ResourceList{localcluster.GPUResource: *resource.NewQuantity(nodeGPUs, resource.DecimalSI)},
					}}},
				},
			},
		},
	}
}

// device is the name of a GPU of a node.
func device(node string, i int) string { return fmt.Sprintf("GPU-%s-%d", node, i) }

// machines are the NodeTopologies of nodes, as their agents would write them.
func machines(nodes []string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, name := range nodes {
		topology := &v1alpha1.NodeTopology{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NodeTopology"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       v1alpha1.NodeTopologySpec{Resource: string(localcluster.GPUResource)},
		}
		for i := range nodeGPUs {
			topology.Spec.Devices = append(topology.Spec.Devices, v1alpha1.Device{UUID: device(name, i)})
		}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(topology)
		if err != nil {
			return nil, fmt.Errorf("encoding the devices of node %q: %w", name, err)
		}
		out = append(out, &unstructured.Unstructured{Object: object})
	}
	return out, nil
}

// illDevice is a fault: the agent of a node reports that a device is unhealthy.
type illDevice struct {
	client       dynamic.Interface
	node, device string
}

func (f illDevice) Apply(ctx context.Context) error {
	return f.report(ctx, []v1alpha1.UnhealthyDevice{{UUID: f.device, Reason: v1alpha1.ReasonXid, Message: "Xid 79: the GPU has fallen off the bus"}})
}

func (f illDevice) Undo(ctx context.Context) error { return f.report(ctx, nil) }

func (f illDevice) report(ctx context.Context, ill []v1alpha1.UnhealthyDevice) error {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"unhealthy": ill}})
	if err != nil {
		return fmt.Errorf("encoding what is ill: %w", err)
	}
	_, err = f.client.Resource(v1alpha1.GroupVersion.WithResource("nodetopologies")).Patch(ctx, f.node, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("reporting an ill device of node %q: %w", f.node, err)
	}
	return nil
}
