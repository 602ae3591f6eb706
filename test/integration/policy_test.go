package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The policies of the manifests keep users from forging what the scheduler writes, and from
// passing what they use to a queue that did not agree to it. A pod that waits may change
// its queue.
func TestPolicies(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, pod("runs", 1, labels("berth.dev/queue", "default", "app", "a")))
	e.create(t, ns, gangOf("waits", 1, 1, ours("waits", 2), labels("berth.dev/queue", "default"))...)
	e.expectBound(t, ns, 1)
	for _, c := range []struct {
		name, pod, patch string
		refused          string // "" if it is allowed
	}{
		{"devices of a pod that runs", "runs", `{"metadata":{"annotations":{"berth.dev/devices":"{\"main\":[\"GPU-1\"]}"}}}`, "berth.dev/devices"},
		{"its placement", "runs", `{"metadata":{"annotations":{"berth.dev/placement":"{\"rank\":7}"}}}`, "berth.dev/placement"},
		{"who pays", "runs", `{"metadata":{"annotations":{"berth.dev/charged-queue":"theirs"}}}`, "berth.dev/charged-queue"},
		{"its queue", "runs", `{"metadata":{"labels":{"berth.dev/queue":"theirs"}}}`, "cannot be changed"},
		{"its queue, taken off", "runs", `{"metadata":{"labels":{"berth.dev/queue":null}}}`, "cannot be changed"},
		{"its queue in other words", "runs", `{"metadata":{"labels":{"kueue.x-k8s.io/queue-name":"theirs"}}}`, "cannot be changed"},
		{"its queue as Volcano says it", "runs", `{"metadata":{"annotations":{"scheduling.volcano.sh/queue-name":"theirs"}}}`, "cannot be changed"},
		{"another label of it", "runs", `{"metadata":{"labels":{"app":"b"}}}`, ""},
		{"the queue of a pod that waits", "waits-0", `{"metadata":{"labels":{"berth.dev/queue":"other"}}}`, ""},
		{"devices of a pod that waits", "waits-0", `{"metadata":{"annotations":{"berth.dev/devices":"{}"}}}`, "berth.dev/devices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A policy is in force a moment after it was created.
			eventually(t, "the answer", func(ctx context.Context) error {
				_, err := e.client.CoreV1().Pods(ns).Patch(ctx, c.pod, types.MergePatchType, []byte(c.patch), metav1.PatchOptions{})
				if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
					return fmt.Errorf("got %v, want %q", err, c.refused)
				}
				return nil
			})
		})
	}
	t.Run("devices with the status", func(t *testing.T) {
		patch := []byte(`{"metadata":{"annotations":{"berth.dev/devices":"{}"}}}`)
		_, err := e.client.CoreV1().Pods(ns).Patch(t.Context(), "runs", types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		if err == nil || !strings.Contains(err.Error(), "nobody else sets or changes them") {
			t.Errorf("a status is written with them: %v", err)
		}
	})
	t.Run("devices of a pod that is made", func(t *testing.T) {
		for _, key := range []string{"berth.dev/devices", "berth.dev/placement", "berth.dev/charged-queue"} {
			_, err := e.client.CoreV1().Pods(ns).Create(t.Context(), pod("forged", 1, annotations(key, `{"main":["GPU-1"]}`)), metav1.CreateOptions{})
			if err == nil || !strings.Contains(err.Error(), "nobody else sets or changes them") {
				t.Errorf("a pod is made with %s: %v", key, err)
			}
		}
	})
}

// account returns clients that are a service account of a test's namespace, with what a
// cluster role of its own allows.
func (e *environment) account(t *testing.T, namespace, name string, rules ...rbacv1.PolicyRule) kubernetes.Interface {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name}, Rules: rules}
	if _, err := e.client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.client.RbacV1().ClusterRoles().Delete(context.Background(), role.Name, metav1.DeleteOptions{})
	})
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}}}
	if _, err := e.client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(e.AdminConfig())
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + name}
	return kubernetes.NewForConfigOrDie(config)
}

// Who may bind pods may not say with the binding what they were given, unless he has the
// right of Berth.
func TestForgedBinding(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	binds := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/binding", "bindings"}, Verbs: []string{"create"}}
	other := e.account(t, ns, "binder", binds)
	p := pod("p", 1)
	p.Spec.SchedulerName = "other"
	e.create(t, ns, p, func() *corev1.Pod { q := pod("q", 1); q.Spec.SchedulerName = "other"; return q }())
	binding := func(name string, annotations map[string]string) *corev1.Binding {
		return &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Annotations: annotations},
			Target: corev1.ObjectReference{Kind: "Node", Name: "node-00001"}}
	}
	for _, key := range []string{"berth.dev/devices", "berth.dev/placement", "berth.dev/charged-queue"} {
		eventually(t, "a binding with "+key+" is refused", func(ctx context.Context) error {
			forged := binding("p", map[string]string{key: "{}"})
			for what, err := range map[string]error{
				"of the pod": other.CoreV1().Pods(ns).Bind(ctx, forged, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}),
				"as an object": other.CoreV1().RESTClient().Post().Namespace(ns).Resource("bindings").Param("dryRun", "All").
					Body(forged).Do(ctx).Error(),
			} {
				if err == nil || !strings.Contains(err.Error(), "takes the right to write placements.berth.dev") {
					return fmt.Errorf("binding %s: %v", what, err)
				}
			}
			return nil
		})
	}
	eventually(t, "a binding without them passes", func(ctx context.Context) error {
		return other.CoreV1().Pods(ns).Bind(ctx, binding("p", nil), metav1.CreateOptions{})
	})
}

// Berth's service account may do what Berth does, and no more: it deletes no pod, and of
// groups that others declare it writes the status alone.
func TestRightsOfBerth(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.create(t, ns, pod("p", 1))
	config, err := clientcmd.BuildConfigFromFlags("", e.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	berth, pods := dynamic.NewForConfigOrDie(config), corev1.SchemeGroupVersion.WithResource("pods")
	if err := berth.Resource(pods).Namespace(ns).Delete(t.Context(), "p", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("deleting a pod: %v", err)
	}
	for name, gvr := range map[string]schema.GroupVersionResource{
		"volcano":     volcanoPodGroups,
		"koordinator": {Group: "scheduling.sigs.k8s.io", Version: "v1alpha1", Resource: "podgroups"},
	} {
		t.Run(name, func(t *testing.T) {
			e.define(t, name, gvr)
			group := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": gvr.GroupVersion().String(), "kind": "PodGroup",
				"metadata": map[string]any{"namespace": ns, "name": "g", "labels": map[string]any{"app": "a"}},
				"spec":     map[string]any{"minMember": int64(2)},
			}}
			eventually(t, "the group is made", func(ctx context.Context) error {
				_, err := e.dynamic.Resource(gvr).Namespace(ns).Create(ctx, group, metav1.CreateOptions{})
				if apierrors.IsAlreadyExists(err) {
					return nil
				}
				return err
			})
			groups := berth.Resource(gvr).Namespace(ns)
			for _, patch := range []string{
				`{"spec":{"minMember":1}}`, `{"status":{"phase":"Running"},"spec":{"minMember":1}}`, `{"spec":null}`, `{"metadata":{"labels":{"app":"b"}}}`, `{"metadata":{"labels":null}}`,
				`{"metadata":{"annotations":{"a":"b"}}}`, `{"metadata":{"finalizers":["a.example/b"]}}`,
			} {
				eventually(t, patch+" is refused", func(ctx context.Context) error {
					_, err := groups.Patch(ctx, "g", types.MergePatchType, []byte(patch), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
					if err == nil || !strings.Contains(err.Error(), "nothing else of it") {
						return fmt.Errorf("got %v", err)
					}
					return nil
				})
			}
			if _, err := groups.Patch(t.Context(), "g", types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}); err != nil {
				t.Errorf("the status: %v", err)
			}
			if err := groups.Delete(t.Context(), "g", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
				t.Errorf("deleting a group: %v", err)
			}
		})
	}
}

// Where there are no queues, upstream's preemption has a pod of a lower priority go, and asks
// the disruption budgets: a protected one stays.
func TestPreemptionWithoutQueues(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.priorityClass(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "preempts"}, Value: 1000})
	e.scheduler(t)
	on := func(node string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node} }
	}
	high := func(p *corev1.Pod) { p.Spec.PriorityClassName = "preempts" }
	e.create(t, ns, pod("goes", nodeGPUs, on("node-00003")), pod("stays", nodeGPUs, on("node-00004"), labels("keep", "me")))
	e.expectBound(t, ns, 2)
	least := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "keep"},
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keep": "me"}}}}
	if _, err := e.client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the budget is seen", func(ctx context.Context) error {
		b, err := e.client.PolicyV1().PodDisruptionBudgets(ns).Get(ctx, "keep", metav1.GetOptions{})
		if err == nil && b.Status.CurrentHealthy != 1 {
			err = fmt.Errorf("its status is %+v", b.Status)
		}
		return err
	})
	e.create(t, ns, pod("against-budget", nodeGPUs, on("node-00004"), high), pod("high", nodeGPUs, on("node-00003"), high))
	eventually(t, "the higher one has the place", func(ctx context.Context) error {
		p, err := e.client.CoreV1().Pods(ns).Get(ctx, "high", metav1.GetOptions{})
		if err == nil && p.Spec.NodeName != "node-00003" {
			err = fmt.Errorf("it is on %q, with conditions %v", p.Spec.NodeName, p.Status.Conditions)
		}
		return err
	})
	stays, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "stays", metav1.GetOptions{})
	if err != nil || stays.DeletionTimestamp != nil {
		t.Errorf("the pod that a budget protects: %v, deleted %v", err, stays.DeletionTimestamp)
	}
	for _, c := range stays.Status.Conditions {
		if c.Type == corev1.DisruptionTarget {
			t.Errorf("it stays, and is marked as one that goes: %s", c.Message)
		}
	}
}
