package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// writers is how many nodes are written at a time.
const writers = 16

// ofNodes is a fault of each of some nodes: merge patches that bring it about and undo it.
type ofNodes struct {
	client      kubernetes.Interface
	nodes       []string
	apply, undo func() map[string]any
}

func (f ofNodes) Apply(ctx context.Context) error { return f.patch(ctx, f.apply()) }

func (f ofNodes) Undo(ctx context.Context) error { return f.patch(ctx, f.undo()) }

func (f ofNodes) patch(ctx context.Context, patch map[string]any) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	return each(ctx, f.nodes, func(ctx context.Context, node string) error {
		_, err := f.client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, text, metav1.PatchOptions{})
		return err
	})
}

// each does something to each node, to several at a time.
func each(ctx context.Context, nodes []string, do func(ctx context.Context, node string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, node := range nodes {
		group.Go(func() error {
			if err := do(ctx, node); err != nil {
				return fmt.Errorf("changing node %q: %w", node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// annotations is a patch of some; nil takes one off.
func annotations(set map[string]any) func() map[string]any {
	return func() map[string]any {
		return map[string]any{"metadata": map[string]any{"annotations": set}}
	}
}

// Kill has machines lose power. Undone, they boot, and what ran on them has died.
func Kill(client kubernetes.Interface, nodes []string) Fault {
	return ofNodes{client, nodes, annotations(map[string]any{localcluster.DarkAnnotation: "killed"}), func() map[string]any {
		return annotations(map[string]any{
			localcluster.DarkAnnotation:     nil,
			localcluster.RebootedAnnotation: time.Now().UTC().Format(time.RFC3339),
		})()
	}}
}

// Darken cuts machines off from the network. What runs on them runs on, and undone, it does
// still.
func Darken(client kubernetes.Interface, nodes []string) Fault {
	return ofNodes{client, nodes,
		annotations(map[string]any{localcluster.DarkAnnotation: "cut off"}),
		annotations(map[string]any{localcluster.DarkAnnotation: nil})}
}

// Cordon marks nodes as unschedulable.
func Cordon(client kubernetes.Interface, nodes []string) Fault {
	unschedulable := func(is any) func() map[string]any {
		return func() map[string]any { return map[string]any{"spec": map[string]any{"unschedulable": is}} }
	}
	return ofNodes{client, nodes, unschedulable(true), unschedulable(nil)}
}

// IllGPUs has GPUs of each of the nodes fall ill, so that they are not allocatable.
func IllGPUs(client kubernetes.Interface, nodes []string, gpus int) Fault {
	return ofNodes{client, nodes,
		annotations(map[string]any{localcluster.IllGPUsAnnotation: strconv.Itoa(gpus)}),
		annotations(map[string]any{localcluster.IllGPUsAnnotation: nil})}
}

// Refuse has the kubelets of nodes refuse each pod that is bound to them, with a reason.
func Refuse(client kubernetes.Interface, nodes []string, reason string) Fault {
	return ofNodes{client, nodes,
		annotations(map[string]any{localcluster.RefuseAnnotation: reason}),
		annotations(map[string]any{localcluster.RefuseAnnotation: nil})}
}

// labelsBefore is an annotation that says what labels were before they were changed: JSON,
// with null for one that was not there.
const labelsBefore = "berth.dev/simulate-labels-before"

// relabel is a change of labels.
type relabel struct {
	client kubernetes.Interface
	nodes  []string
	labels map[string]string
}

// Relabel gives nodes other labels, as somebody does who moves machines to another rack, or
// makes a mistake. Undone, they have those that they had before the first change. To undo
// takes no labels.
func Relabel(client kubernetes.Interface, nodes []string, labels map[string]string) Fault {
	return relabel{client, nodes, labels}
}

func (f relabel) Apply(ctx context.Context) error {
	return f.update(ctx, func(node *v1.Node, before map[string]*string) {
		for key, value := range f.labels {
			if _, kept := before[key]; !kept {
				before[key] = nil
				if was, had := node.Labels[key]; had {
					before[key] = &was
				}
			}
			node.Labels[key] = value
		}
	})
}

func (f relabel) Undo(ctx context.Context) error {
	return f.update(ctx, func(node *v1.Node, before map[string]*string) {
		for key, was := range before {
			if was == nil {
				delete(node.Labels, key)
			} else {
				node.Labels[key] = *was
			}
			delete(before, key)
		}
	})
}

// update changes each node, and what is known of its labels before.
func (f relabel) update(ctx context.Context, change func(node *v1.Node, before map[string]*string)) error {
	return each(ctx, f.nodes, func(ctx context.Context, name string) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			node, err := f.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			before := map[string]*string{}
			if text, changed := node.Annotations[labelsBefore]; changed {
				if err := json.Unmarshal([]byte(text), &before); err != nil {
					return fmt.Errorf("annotation %s cannot be read; remove it: %w", labelsBefore, err)
				}
			}
			if node.Labels == nil {
				node.Labels = map[string]string{}
			}
			if node.Annotations == nil {
				node.Annotations = map[string]string{}
			}
			change(node, before)
			if delete(node.Annotations, labelsBefore); len(before) > 0 {
				text, err := json.Marshal(before)
				if err != nil {
					return err
				}
				node.Annotations[labelsBefore] = string(text)
			}
			_, err = f.client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{})
			if apierrors.IsInvalid(err) {
				return fmt.Errorf("the API refuses the labels: %w", err)
			}
			return err
		})
	})
}
