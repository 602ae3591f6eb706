package reporting

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	typedschedulingv1beta1 "k8s.io/client-go/kubernetes/typed/scheduling/v1beta1"
	schedulinglisters "k8s.io/client-go/listers/scheduling/v1beta1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/binder"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Client is the client that the scheduler gets. It is the real one, but for
// three kinds of write: a bind whose answer is lost is followed up (package binder), the status of
// a pod group goes to the reporter, which knows the object that declared it, and a pod that
// preemption would delete is evicted. Waiting pods' conditions come to it by podCalls.
type Client struct {
	kubernetes.Interface
	conditions *ConditionWriter
	reporter   *Reporter
	Binder     *binder.Binder
	groups     schedulinglisters.PodGroupLister

	mu sync.Mutex
	// written is what was written lately of each native group that the scheduler
	// knows.
	written map[types.NamespacedName]*saidOfNative
}

func NewClient(client kubernetes.Interface, c *ConditionWriter, r *Reporter, groups schedulinglisters.PodGroupLister) *Client {
	return &Client{Interface: client, conditions: c, reporter: r, Binder: binder.New(c), groups: groups, written: map[types.NamespacedName]*saidOfNative{}}
}

func (c *Client) CoreV1() typedcorev1.CoreV1Interface {
	return budgetCore{c.Interface.CoreV1(), c}
}

func (c *Client) SchedulingV1beta1() typedschedulingv1beta1.SchedulingV1beta1Interface {
	return budgetScheduling{c.Interface.SchedulingV1beta1(), c}
}

type budgetCore struct {
	typedcorev1.CoreV1Interface
	client *Client
}

func (c budgetCore) Pods(namespace string) typedcorev1.PodInterface {
	return budgetPods{c.CoreV1Interface.Pods(namespace), c.client, namespace}
}

type budgetPods struct {
	typedcorev1.PodInterface
	client    *Client
	namespace string
}

func (p budgetPods) Bind(ctx context.Context, binding *corev1.Binding, options metav1.CreateOptions) error {
	return p.client.Binder.Bind(ctx, p.PodInterface, binding, options)
}

// Delete evicts the pod: only upstream's preemption deletes any. So disruption budgets hold,
// and the scheduler needs no right to delete pods.
func (p budgetPods) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	measure.APIWrites.WithLabelValues("eviction").Inc()
	return p.client.PolicyV1().Evictions(p.namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		DeleteOptions: &options,
	})
}

func (p budgetPods) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (*corev1.Pod, error) {
	if len(subresources) == 1 && subresources[0] == "status" {
		// The eviction that follows says so itself, if a budget lets it pass.
		if _, only := conditionIn(data, string(corev1.DisruptionTarget)); only {
			return &corev1.Pod{}, nil
		}
	}
	measure.APIWrites.WithLabelValues("pod_status").Inc()
	return p.PodInterface.Patch(ctx, name, kind, data, options, subresources...)
}

// refused asks for the condition of a plain pod that was refused a place. The reporter, who
// knows all members, asks for that of a gang's.
func (c *Client) refused(pod *corev1.Pod, condition corev1.PodCondition) {
	if workload.PodGroup(pod) != "" {
		return
	}
	if c.reporter.Entitlement != nil && condition.Reason == corev1.PodReasonUnschedulable {
		if why, more := c.reporter.Entitlement(pod); more {
			condition.Reason, condition.Message = waitreason.InCondition(why.Code), why.Text
		}
	}
	c.conditions.Set(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, condition)
}

// conditionIn returns what a patch of a status says of the condition of a type, nil if
// nothing, and whether the patch does nothing else. What the patch is silent about in the
// condition stays as it is: it is to be read into the present one.
func conditionIn(data []byte, conditionType string) (found json.RawMessage, only bool) {
	var patch struct {
		Status map[string]json.RawMessage `json:"status"`
	}
	var conditions []json.RawMessage
	if json.Unmarshal(data, &patch) != nil || json.Unmarshal(patch.Status["conditions"], &conditions) != nil {
		return nil, false
	}
	only = len(conditions) == 1
	for field := range patch.Status {
		only = only && (field == "conditions" || strings.HasPrefix(field, "$setElementOrder/"))
	}
	for _, raw := range conditions {
		var c struct {
			Type      string `json:"type"`
			Directive string `json:"$patch"`
		}
		if json.Unmarshal(raw, &c) == nil && c.Directive == "" && c.Type == conditionType {
			found = raw
		}
	}
	return found, found != nil && only
}

type budgetScheduling struct {
	typedschedulingv1beta1.SchedulingV1beta1Interface
	client *Client
}

func (c budgetScheduling) PodGroups(namespace string) typedschedulingv1beta1.PodGroupInterface {
	return budgetPodGroups{c.SchedulingV1beta1Interface.PodGroups(namespace), c.client, namespace}
}

type budgetPodGroups struct {
	typedschedulingv1beta1.PodGroupInterface
	client    *Client
	namespace string
}

func (p budgetPodGroups) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (*schedulingv1beta1.PodGroup, error) {
	key := gang.KeyOf(p.namespace, name)
	pg, _ := p.client.groups.PodGroups(p.namespace).Get(name) // nil if it is gone
	patched, only := conditionIn(data, schedulingv1beta1.PodGroupInitiallyScheduled)
	var condition metav1.Condition
	if patched != nil {
		if pg != nil {
			if old := apimeta.FindStatusCondition(pg.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled); old != nil {
				condition = *old
			}
		}
		if err := json.Unmarshal(patched, &condition); err != nil {
			return nil, fmt.Errorf("reading the condition of pod group %q: %w", name, err)
		}
		p.client.reporter.Decided(key, condition)
	}
	if key.Dialect != gang.Native || only && !p.client.newsOfNative(key, condition) {
		return &schedulingv1beta1.PodGroup{}, nil
	}
	measure.APIWrites.WithLabelValues("group_status").Inc()
	return p.PodGroupInterface.Patch(ctx, name, kind, data, options, subresources...)
}

// outcomeOf returns a decision on a gang as a label.
func outcomeOf(condition metav1.Condition) string {
	switch {
	case condition.Status == metav1.ConditionTrue:
		return "placed"
	case condition.Reason == schedulingv1beta1.PodGroupReasonUnschedulable:
		return "refused"
	}
	return "failed"
}

// saidOfNative is what was written of one native group.
type saidOfNative struct {
	group types.UID
	said  record.Recent
	// placed is set once it was written that the group has its place.
	placed bool
}

// newsOfNative reports whether a condition differs from the last ones written. That a
// group has its place is final: a member that joins it later and finds none is told so
// itself. Upstream goes by what its snapshot has of the group, which may be older.
func (c *Client) newsOfNative(key gang.Key, condition metav1.Condition) bool {
	placed := condition.Status == metav1.ConditionTrue
	if !placed && c.reporter.Gangs.Placed(key) {
		return false
	}
	name := podgroups.NameOf(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	pg, err := c.groups.PodGroups(name.Namespace).Get(name.Name)
	if err != nil {
		// Nobody would forget it. Of one that the lister has, forgetNative will be
		// called later: it waits for the lock.
		return true
	}
	w := c.written[name]
	if w == nil || w.group != pg.UID {
		w = &saidOfNative{group: pg.UID}
		c.written[name] = w
	}
	if w.placed && !placed {
		return false
	}
	w.placed = placed
	return w.said.News(string(condition.Status) + condition.Reason + record.MessageKey(condition.Message))
}

// ForgetNative drops what was written of a group that is gone.
func (c *Client) ForgetNative(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.written, name)
}
