package localcluster

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Annotations of a node that say what its kubelet does, for whoever would see what follows.
const (
	// DarkAnnotation: the kubelet does nothing: it renews no lease, and starts, ends and
	// removes no pod. Its containers go on running.
	DarkAnnotation = "berth.dev/simulate-dark"
	// RefuseAnnotation: the kubelet refuses every pod that comes, with this reason, such as
	// UnexpectedAdmissionError.
	RefuseAnnotation = "berth.dev/simulate-refusal"
	// RebootedAnnotation: the machine was started anew at this time, in RFC 3339. What runs
	// on it since before has died.
	RebootedAnnotation = "berth.dev/simulate-rebooted"
	// IllGPUsAnnotation: so many GPUs are ill, and not allocatable.
	IllGPUsAnnotation = "berth.dev/simulate-ill-gpus"
)

// isDark reports whether nobody acts for a node.
func isDark(node *v1.Node) bool {
	_, dark := node.Annotations[DarkAnnotation]
	return dark
}

// refusalOf returns why the kubelet of a node refuses every pod, if it does.
func refusalOf(node *v1.Node) (rejection, bool) {
	reason, told := node.Annotations[RefuseAnnotation]
	if !told {
		return rejection{}, false
	}
	return rejection{strings.TrimSpace(reason), fmt.Sprintf("annotation %s of node %q says so", RefuseAnnotation, node.Name)}, true
}

// rebootedAt is when a machine was started anew; zero if it was not, or nobody can read when.
func rebootedAt(node *v1.Node) time.Time {
	at, err := time.Parse(time.RFC3339, node.Annotations[RebootedAnnotation])
	if err != nil {
		return time.Time{}
	}
	return at
}

// healthyGPUs is how many GPUs of a node can be given to pods. A number that cannot be read
// is none.
func healthyGPUs(node *v1.Node) int64 {
	gpus := node.Status.Capacity[GPUResource]
	ill, err := strconv.ParseInt(node.Annotations[IllGPUsAnnotation], 10, 64)
	if err != nil || ill < 0 {
		ill = 0
	}
	return max(gpus.Value()-ill, 0)
}

// syncNode has a node report how many of its GPUs are allocatable, as its kubelet does when
// the device plugin says that some are ill. What runs on those runs on.
func (k *kubelets) syncNode(ctx context.Context, name string) error {
	node, err := k.nodes.Get(name)
	if err != nil || isDark(node) {
		return nil // it is gone, or nobody is there to report
	}
	has, want := node.Status.Allocatable[GPUResource], healthyGPUs(node)
	if has.Value() == want {
		return nil
	}
	patch := []byte(fmt.Sprintf(`{"status":{"allocatable":{%q:"%d"}}}`, GPUResource, want))
	_, err = k.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// HeartbeatFor returns how often so many nodes renew their leases, so that there are at
// most 25 writes a second: every ten seconds, as real kubelets do, up to 250 nodes.
func HeartbeatFor(nodes int) time.Duration {
	const most = 25
	return max(10*time.Second, time.Duration((nodes+most-1)/most)*time.Second)
}

// leaseWriters is how many leases are written at a time.
const leaseWriters = 4

// heartbeatSlots is into how many parts a period is divided. In each, the nodes of one slot
// renew their leases, so that the API server is not asked by all at one time.
const heartbeatSlots = 10

// slotOf is the slot of a node, the same at any time.
func slotOf(node string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(node)) // a hash does not fail
	return int(hash.Sum32() % heartbeatSlots)
}

// heartbeat renews the lease of every node once a period, as each kubelet does every ten
// seconds, and says again that a node is ready that was taken for dead. The node lifecycle
// controller goes by the leases.
func (k *kubelets) heartbeat(ctx context.Context, period time.Duration) {
	ticker := time.NewTicker(max(period/heartbeatSlots, time.Millisecond))
	defer ticker.Stop()
	for slot := 0; ; slot = (slot + 1) % heartbeatSlots {
		nodes, _ := k.nodes.List(labels.Everything()) // a lister of an informer does not fail
		work := make(chan *v1.Node)
		var writers sync.WaitGroup
		for range leaseWriters {
			writers.Go(func() {
				for node := range work {
					k.beat(ctx, node, period)
				}
			})
		}
		for _, node := range nodes {
			if slotOf(node.Name) == slot && !isDark(node) {
				work <- node
			}
		}
		close(work)
		writers.Wait()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// beat renews one lease. A failure is one heartbeat missed.
func (k *kubelets) beat(ctx context.Context, node *v1.Node, period time.Duration) {
	now := metav1.NewMicroTime(time.Now())
	leases := k.client.CoordinationV1().Leases(v1.NamespaceNodeLease)
	patch := []byte(fmt.Sprintf(`{"spec":{"renewTime":%q}}`, now.UTC().Format(metav1.RFC3339Micro)))
	_, err := leases.Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		seconds := int32(4 * period / time.Second)
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: node.Name, OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &node.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		return
	}
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == v1.NodeReady && c.Status != v1.ConditionTrue {
			k.sayReady(ctx, node)
		}
	}
}

// sayReady says that a node is ready.
func (k *kubelets) sayReady(ctx context.Context, node *v1.Node) {
	changed := node.DeepCopy()
	for i := range changed.Status.Conditions {
		c := &changed.Status.Conditions[i]
		if c.Status == v1.ConditionUnknown || c.Type == v1.NodeReady {
			*c = v1.NodeCondition{Type: c.Type, Status: v1.ConditionFalse, Reason: "KubeletHasSufficient", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}
		}
		if c.Type == v1.NodeReady {
			c.Status, c.Reason = v1.ConditionTrue, "KubeletReady"
		}
	}
	// A conflict is resolved with the next heartbeat.
	_, _ = k.client.CoreV1().Nodes().UpdateStatus(ctx, changed, metav1.UpdateOptions{})
}
