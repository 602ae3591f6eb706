package localcluster

import (
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// rejection says why a kubelet does not take a pod that was bound to its node. The reasons
// are those of the real one.
type rejection struct {
	reason, message string
}

// The reasons that are not "OutOf" something.
const (
	reasonNodeAffinity = "NodeAffinity"
	reasonTaint        = "TaintToleration"
	// ReasonUnexpectedAdmission is that of a device that cannot be handed out.
	ReasonUnexpectedAdmission = "UnexpectedAdmissionError"
)

// admit decides as a kubelet does whether it takes a pod beside others that it runs:
//
//   - for each resource, what the pod and the others request is at most what the node has
//     allocatable; a resource that the node does not have at all is not looked at, for it
//     may be one of the whole cluster;
//   - the pod's node selector and required node affinity match the node;
//   - the pod tolerates the node's taints of effect NoExecute. Other taints are the
//     scheduler's business.
//
// This is generalFilter of the kubelet's lifecycle package. The first failure counts.
func admit(pod *v1.Pod, node *v1.Node, others []*v1.Pod) (rejection, bool) {
	if pods := node.Status.Allocatable.Pods(); !pods.IsZero() && int64(len(others)) >= pods.Value() {
		return outOf(v1.ResourcePods, resource.MustParse("1"), *resource.NewQuantity(int64(len(others)), resource.DecimalSI), *pods), false
	}
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
	used := v1.ResourceList{}
	for _, other := range others {
		for name, amount := range resourcehelper.PodRequests(other, resourcehelper.PodResourcesOptions{UseStatusResources: true}) {
			sum := used[name]
			sum.Add(amount)
			used[name] = sum
		}
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		has, known := node.Status.Allocatable[name]
		asked := requests[name]
		if !known || asked.IsZero() {
			continue
		}
		sum := used[name]
		sum.Add(asked)
		if sum.Cmp(has) > 0 {
			return outOf(name, asked, used[name], has), false
		}
	}
	if fits, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node); err != nil || !fits {
		return rejection{reasonNodeAffinity, "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"}, false
	}
	executes := func(t *v1.Taint) bool { return t.Effect == v1.TaintEffectNoExecute }
	if _, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, executes, true); untolerated {
		return rejection{reasonTaint, "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"}, false
	}
	return rejection{}, true
}

func outOf(name v1.ResourceName, asked, used, has resource.Quantity) rejection {
	return rejection{"OutOf" + string(name), fmt.Sprintf("Node didn't have enough resource: %s, requested: %s, used: %s, capacity: %s",
		name, asked.String(), used.String(), has.String())}
}
