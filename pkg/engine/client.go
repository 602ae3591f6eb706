package engine

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	typedschedulingv1beta1 "k8s.io/client-go/kubernetes/typed/scheduling/v1beta1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// budgetClient is the client that the scheduler gets. It is the real one, but for
// three kinds of write: a bind is counted, a waiting pod's condition goes to the
// condition writer, and the status of a pod group goes to the reporter, which
// knows the object that declared it.
type budgetClient struct {
	kubernetes.Interface
	conditions *conditionWriter
	reporter   *reporter

	mu sync.Mutex
	// written is the gist of the last condition of each native group.
	written map[types.NamespacedName]string
}

func (c *budgetClient) CoreV1() typedcorev1.CoreV1Interface {
	return budgetCore{c.Interface.CoreV1(), c}
}

func (c *budgetClient) SchedulingV1beta1() typedschedulingv1beta1.SchedulingV1beta1Interface {
	return budgetScheduling{c.Interface.SchedulingV1beta1(), c}
}

type budgetCore struct {
	typedcorev1.CoreV1Interface
	client *budgetClient
}

func (c budgetCore) Pods(namespace string) typedcorev1.PodInterface {
	return budgetPods{c.CoreV1Interface.Pods(namespace), c.client, namespace}
}

type budgetPods struct {
	typedcorev1.PodInterface
	client    *budgetClient
	namespace string
}

func (p budgetPods) Bind(ctx context.Context, binding *corev1.Binding, options metav1.CreateOptions) error {
	apiWrites.WithLabelValues("bind").Inc()
	return p.PodInterface.Bind(ctx, binding, options)
}

func (p budgetPods) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	apiWrites.WithLabelValues("delete").Inc()
	return p.PodInterface.Delete(ctx, name, options)
}

func (p budgetPods) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (*corev1.Pod, error) {
	if len(subresources) == 1 && subresources[0] == "status" {
		if condition, only := onlyScheduledCondition(data); only {
			p.client.conditions.Set(types.NamespacedName{Namespace: p.namespace, Name: name}, condition)
			return &corev1.Pod{}, nil
		}
	}
	apiWrites.WithLabelValues("pod_status").Inc()
	return p.PodInterface.Patch(ctx, name, kind, data, options, subresources...)
}

// onlyScheduledCondition reads a patch of a pod's status. It is true if the patch
// does nothing but to say that the pod is not scheduled, and why.
func onlyScheduledCondition(data []byte) (corev1.PodCondition, bool) {
	var patch struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
		Status   map[string]json.RawMessage `json:"status"`
	}
	if json.Unmarshal(data, &patch) != nil {
		return corev1.PodCondition{}, false
	}
	for field := range patch.Status {
		if field != "conditions" && !strings.HasPrefix(field, "$setElementOrder/") {
			return corev1.PodCondition{}, false
		}
	}
	var conditions []corev1.PodCondition
	if json.Unmarshal(patch.Status["conditions"], &conditions) != nil || len(conditions) != 1 {
		return corev1.PodCondition{}, false
	}
	c := conditions[0]
	return c, c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason != ""
}

type budgetScheduling struct {
	typedschedulingv1beta1.SchedulingV1beta1Interface
	client *budgetClient
}

func (c budgetScheduling) PodGroups(namespace string) typedschedulingv1beta1.PodGroupInterface {
	return budgetPodGroups{c.SchedulingV1beta1Interface.PodGroups(namespace), c.client, namespace}
}

type budgetPodGroups struct {
	typedschedulingv1beta1.PodGroupInterface
	client    *budgetClient
	namespace string
}

func (p budgetPodGroups) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (*schedulingv1beta1.PodGroup, error) {
	key := gang.KeyOf(p.namespace, name)
	var patch schedulingv1beta1.PodGroup
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, err
	}
	scheduled := apimeta.FindStatusCondition(patch.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled)
	if scheduled != nil {
		p.client.reporter.Decided(key, *scheduled)
	}
	if key.Dialect != gang.Native {
		return &schedulingv1beta1.PodGroup{}, nil
	}
	if scheduled != nil && len(patch.Status.Conditions) == 1 && !p.client.newsOfNative(groupName(key), scheduled) {
		return &schedulingv1beta1.PodGroup{}, nil
	}
	apiWrites.WithLabelValues("group_status").Inc()
	return p.PodGroupInterface.Patch(ctx, name, kind, data, options, subresources...)
}

// newsOfNative reports whether a condition differs from the last one written.
func (c *budgetClient) newsOfNative(name types.NamespacedName, condition *metav1.Condition) bool {
	said := string(condition.Status) + condition.Reason + gist(condition.Message)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written[name] == said {
		return false
	}
	c.written[name] = said
	return true
}

// forgetNative drops what was written of a group that is gone.
func (c *budgetClient) forgetNative(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.written, name)
}
