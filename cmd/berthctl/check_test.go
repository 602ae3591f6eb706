package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/dynamic"
	fakedynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// checkedCluster is a cluster with nothing wrong, for a test to change.
type checkedCluster struct {
	version    version.Info
	nodes      []*corev1.Node
	scheduler  []*appsv1.Deployment
	leases     []*coordinationv1.Lease
	queues     []*v1alpha1.Queue
	topologies []*v1alpha1.NodeTopology
	// denied are rights, as kubectl auth can-i takes them, that the scheduler lacks, and
	// forbidden verbs of resources that the user may not use.
	denied    []string
	forbidden [][2]string
}

func healthyCluster() *checkedCluster {
	replicas := int32(2)
	c := &checkedCluster{
		version: version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.2"},
		scheduler: []*appsv1.Deployment{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "berth-system", Name: "berth", Labels: map[string]string{"app.kubernetes.io/name": "berth"}},
			Spec:       appsv1.DeploymentSpec{Replicas: &replicas}, Status: appsv1.DeploymentStatus{ReadyReplicas: 2},
		}},
		leases: []*coordinationv1.Lease{heldLease("kube-system", "berth-7d9f_1", 2*time.Second)},
		queues: []*v1alpha1.Queue{{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 1}, Status: v1alpha1.QueueStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdmits, ObservedGeneration: 1},
		}}}},
	}
	for _, name := range []string{"gpu-0", "gpu-1"} {
		eight := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")}
		c.nodes = append(c.nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"topology.kubernetes.io/rack": "r1", "nvidia.com/gpu.count": "8"}},
			Status:     corev1.NodeStatus{Capacity: eight, Allocatable: eight.DeepCopy()},
		})
		c.topologies = append(c.topologies, &v1alpha1.NodeTopology{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	// A node without devices needs no label.
	c.nodes = append(c.nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cpu-0"}})
	return c
}

// heldLease is a Lease that was renewed a while ago.
func heldLease(namespace, holder string, ago time.Duration) *coordinationv1.Lease {
	seconds, renewed := int32(15), metav1.NewMicroTime(time.Now().Add(-ago))
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "berth"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &renewed}}
}

// inspect returns clients of the cluster.
func (c *checkedCluster) inspect(connection) (kubernetes.Interface, dynamic.Interface, error) {
	kube := fake.NewClientset()
	add := func(object runtime.Object) {
		if err := kube.Tracker().Add(object); err != nil {
			panic(err)
		}
	}
	for _, n := range c.nodes {
		add(n)
	}
	for _, d := range c.scheduler {
		add(d)
	}
	for _, l := range c.leases {
		add(l)
	}
	kube.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &c.version
	kube.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = review.Spec.User == "system:serviceaccount:berth-system:berth"
		for _, right := range c.denied {
			review.Status.Allowed = review.Status.Allowed && rightText(*review.Spec.ResourceAttributes) != right
		}
		return true, review, nil
	})
	var objects []runtime.Object
	for _, q := range c.queues {
		objects = append(objects, unstructuredOf(q, "Queue"))
	}
	for _, t := range c.topologies {
		objects = append(objects, unstructuredOf(t, "NodeTopology"))
	}
	kinds := map[schema.GroupVersionResource]string{v1alpha1.QueuesResource: "QueueList", nodeTopologies: "NodeTopologyList"}
	objectsClient := fakedynamic.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
	for _, f := range c.forbidden {
		deny := func(action clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "", errors.New("you may not"))
		}
		kube.PrependReactor(f[0], f[1], deny)
		objectsClient.PrependReactor(f[0], f[1], deny)
	}
	return kube, objectsClient, nil
}

func unstructuredOf(object any, kind string) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	return u
}

// checkAlone is the command alone, which is as silent as under its parent.
func checkAlone(dial inspector) *cobra.Command {
	cmd := newCheckCommand(dial)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	return cmd
}

// checked runs "check -o json" and returns its status and findings by check.
func checked(t *testing.T, c *checkedCluster, args ...string) (int, map[string]finding, string) {
	t.Helper()
	var out, log strings.Builder
	status := run(t.Context(), checkAlone(c.inspect), append([]string{"-o", "json"}, args...), strings.NewReader(""), &out, &log)
	var answer struct{ Checks []finding }
	if status != statusFailed {
		if err := json.Unmarshal([]byte(out.String()), &answer); err != nil {
			t.Fatalf("reading %q: %v", out.String(), err)
		}
	}
	byCheck := map[string]finding{}
	for _, f := range answer.Checks {
		byCheck[f.Check] = f
	}
	return status, byCheck, log.String()
}

func TestCheckHealthy(t *testing.T) {
	status, found, log := checked(t, healthyCluster())
	if status != statusAnswer {
		t.Errorf("status %d, %s", status, log)
	}
	for _, check := range []string{"version", "scheduler", "leader", "rights", "queues", "levels", "devices", "agents"} {
		if f, made := found[check]; !made || f.Standing != standingOK || f.Do != "" {
			t.Errorf("%s: %+v, want %s and nothing to do", check, f, standingOK)
		}
	}
	for check, words := range map[string]string{
		"leader": "berth-7d9f_1 holds Lease kube-system/berth, renewed 2s ago", "scheduler": "berth-system/berth, 2 of 2 replicas ready",
		"devices": "2 nodes give out 16 devices", "levels": "topology.kubernetes.io/rack",
	} {
		if !strings.Contains(found[check].Found, words) {
			t.Errorf("%s: %q does not say %q", check, found[check].Found, words)
		}
	}
}

func TestCheckFindsFaults(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*checkedCluster)
		args   []string
		check  string
		want   standing
		words  []string // of what was found and what to do
	}{
		"an old server":          {func(c *checkedCluster) { c.version.Minor = "29" }, nil, "version", standingFail, []string{"1.34 or newer"}},
		"one older than tried":   {func(c *checkedCluster) { c.version.Minor = "33" }, nil, "version", standingWarn, []string{"ResourceClaims"}},
		"one that is older":      {func(c *checkedCluster) { c.version.Minor = "34+" }, nil, "version", standingWarn, []string{"DeviceTaintRules"}},
		"one a version newer":    {func(c *checkedCluster) { c.version.Minor = "38" }, nil, "version", standingOK, nil},
		"one much newer":         {func(c *checkedCluster) { c.version.Minor = "39" }, nil, "version", standingWarn, []string{"upgrade Berth"}},
		"no scheduler":           {func(c *checkedCluster) { c.scheduler = nil }, nil, "scheduler", standingWarn, []string{"install Berth"}},
		"a replica is not there": {func(c *checkedCluster) { c.scheduler[0].Status.ReadyReplicas = 1 }, nil, "scheduler", standingWarn, []string{"1 of 2"}},
		"no replica is there":    {func(c *checkedCluster) { c.scheduler[0].Status.ReadyReplicas = 0 }, nil, "scheduler", standingFail, []string{"0 of 2", "kubectl -n berth-system logs"}},
		"two installations": {func(c *checkedCluster) {
			second := c.scheduler[0].DeepCopy()
			second.Namespace = "gpu"
			c.scheduler = append(c.scheduler, second)
		}, nil, "scheduler", standingWarn, []string{"berth-system/berth, gpu/berth", "Lease of its own"}},
		"no lease":             {func(c *checkedCluster) { c.leases = nil }, nil, "leader", standingFail, []string{"no Lease kube-system/berth"}},
		"the lease is old":     {func(c *checkedCluster) { c.leases[0] = heldLease("kube-system", "gone", time.Minute) }, nil, "leader", standingFail, []string{"gone", "1m0s ago"}},
		"nobody holds it":      {func(c *checkedCluster) { *c.leases[0].Spec.HolderIdentity = "" }, nil, "leader", standingFail, []string{"nobody holds"}},
		"another of a name":    {func(c *checkedCluster) { c.leases = append(c.leases, heldLease("gpu", "other_2", time.Second)) }, nil, "leader", standingFail, []string{"other_2 holds Lease gpu/berth"}},
		"another that is over": {func(c *checkedCluster) { c.leases = append(c.leases, heldLease("gpu", "other_2", time.Hour)) }, nil, "leader", standingOK, nil},
		"rights are missing": {func(c *checkedCluster) {
			c.denied = []string{"list resourceslices.resource.k8s.io", "patch pods/status", "update leases.coordination.k8s.io/berth in kube-system"}
		}, nil, "rights", standingFail, []string{"lacks 3 of", "list resourceslices.resource.k8s.io, patch pods/status, update leases.coordination.k8s.io/berth in kube-system", "manifests/base"}},
		"another account": {func(*checkedCluster) {}, []string{"--scheduler-namespace=gpu"}, "rights", standingFail, []string{"system:serviceaccount:gpu:berth", "and"}},
		"a queue with a fault": {func(c *checkedCluster) {
			ready := &c.queues[0].Status.Conditions[0]
			ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, "ParentMissing", "there is no queue b"
		}, nil, "queues", standingFail, []string{"1 of 1", "a (ParentMissing: there is no queue b)"}},
		"a queue not looked at": {func(c *checkedCluster) { c.queues[0].Generation = 2 }, nil, "queues", standingWarn, []string{"1 of 1", "a"}},
		"no labels": {func(c *checkedCluster) {
			for _, n := range c.nodes {
				delete(n.Labels, "topology.kubernetes.io/rack")
			}
		}, nil, "levels", standingWarn, []string{"none of 2 nodes"}},
		"a label is missing":   {func(c *checkedCluster) { delete(c.nodes[1].Labels, "topology.kubernetes.io/rack") }, nil, "levels", standingWarn, []string{"gpu-1 (topology.kubernetes.io/rack)"}},
		"no device plugin":     {func(c *checkedCluster) { c.nodes[0].Status.Allocatable = nil }, nil, "devices", standingFail, []string{"1 node of 2", "gpu-0 (0 of 8 nvidia.com/gpu)"}},
		"no device plugin yet": {func(c *checkedCluster) { c.nodes[0].Status = corev1.NodeStatus{} }, nil, "devices", standingWarn, []string{"gpu-0", "ResourceClaims"}},
		"an ill device": {func(c *checkedCluster) {
			c.nodes[0].Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("7")
		}, nil, "devices", standingWarn, []string{"gpu-0 (7 of 8 nvidia.com/gpu)"}},
		"no devices at all":          {func(c *checkedCluster) { c.nodes = c.nodes[2:] }, nil, "devices", standingWarn, []string{"none of 1 node"}},
		"an agent is missing":        {func(c *checkedCluster) { c.topologies = c.topologies[1:] }, nil, "agents", standingWarn, []string{"gpu-0"}},
		"there are no agents":        {func(c *checkedCluster) { c.topologies = nil }, nil, "agents", standingOK, []string{"no agent"}},
		"nodes are forbidden":        {func(c *checkedCluster) { c.forbidden = [][2]string{{"list", "nodes"}} }, nil, "devices", standingWarn, []string{"not looked at", "list nodes"}},
		"queues are forbidden":       {func(c *checkedCluster) { c.forbidden = [][2]string{{"list", "queues"}} }, nil, "queues", standingWarn, []string{"not looked at"}},
		"reviews are forbidden":      {func(c *checkedCluster) { c.forbidden = [][2]string{{"create", "subjectaccessreviews"}} }, nil, "rights", standingWarn, []string{"not looked at", "subjectaccessreviews"}},
		"other leases are forbidden": {func(c *checkedCluster) { c.forbidden = [][2]string{{"list", "leases"}} }, nil, "leader", standingWarn, []string{"berth-7d9f_1", "list Leases"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := healthyCluster()
			test.change(c)
			status, found, log := checked(t, c, test.args...)
			f := found[test.check]
			if f.Standing != test.want {
				t.Errorf("%s: %+v, want %s; %s", test.check, f, test.want, log)
			}
			for _, words := range test.words {
				if !strings.Contains(f.Found+"\n"+f.Do, words) {
					t.Errorf("%s: %q, do %q, want words %q", test.check, f.Found, f.Do, words)
				}
			}
			want := statusAnswer
			if test.want == standingFail {
				want = statusNone
			}
			if status != want {
				t.Errorf("status %d, want %d", status, want)
			}
		})
	}
}

// A table has a line for each check and, below it, what to do.
func TestCheckTable(t *testing.T) {
	c := healthyCluster()
	c.leases = nil
	var out, log strings.Builder
	status := run(t.Context(), checkAlone(c.inspect), nil, strings.NewReader(""), &out, &log)
	if status != statusNone {
		t.Errorf("status %d, want %d; %s", status, statusNone, log.String())
	}
	const want = "leader     FAIL    there is no Lease kube-system/berth: no Berth has led here\n" +
		"                   do: install Berth, or name its Lease by --lease and --lease-namespace\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("the table is\n%s\nand lacks\n%s", out.String(), want)
	}
}

func TestCheckCannotLook(t *testing.T) {
	away := func(connection) (kubernetes.Interface, dynamic.Interface, error) {
		return nil, nil, errors.New("no configuration")
	}
	for name, args := range map[string][]string{"no cluster": nil, "a wrong format": {"-o", "xml"}} {
		var out, log strings.Builder
		if status := run(t.Context(), checkAlone(away), args, strings.NewReader(""), &out, &log); status != statusFailed || out.Len() > 0 {
			t.Errorf("%s: status %d, output %q, want %d and none", name, status, out.String(), statusFailed)
		}
	}
}
