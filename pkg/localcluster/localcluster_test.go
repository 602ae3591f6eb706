package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// TestCluster is one cluster's life. Its parts share the cluster, because each
// start costs seconds.
func TestCluster(t *testing.T) {
	ctx := t.Context()
	c, err := Start(ctx, Options{AuditLog: true, Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	if err := c.AddNodes(ctx, Nodes{Count: 40, RackSize: 16}); err != nil {
		t.Fatal(err)
	}
	l40s, err := MachineNamed("l40s-4")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddNodes(ctx, Nodes{Count: 10, Model: l40s}); err != nil {
		t.Fatal(err)
	}
	if err := c.StartKubelets(ctx); err != nil {
		t.Fatal(err)
	}

	t.Run("version", func(t *testing.T) {
		version, err := c.Client().Discovery().ServerVersion()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(version.GitVersion, " ", version.Major, ".", version.Minor); got != "v1.37.2 1.37" {
			t.Errorf("the API server reports version %q", got)
		}
	})
	t.Run("nodes", func(t *testing.T) { testNodes(t, c) })
	t.Run("pods", func(t *testing.T) { testPods(t, c) })
	t.Run("users", func(t *testing.T) { testUsers(t, c) })
	t.Run("the end of a process is reported", func(t *testing.T) {
		if err := syscall.Kill(c.running[0].cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := c.Wait(waiting); err == nil || !strings.Contains(err.Error(), "etcd ended (signal: killed)") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("stop", func(t *testing.T) {
		c.Stop()
		c.Stop()
		for _, p := range c.running {
			if err := syscall.Kill(p.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("%s is still there (%v)", p.name, err)
			}
		}
		if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the state directory is still there (%v)", err)
		}
	})
}

func testNodes(t *testing.T, c *Cluster) {
	list, err := c.Client().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	racks, models := map[string]int{}, map[string]int{}
	for _, n := range list.Items {
		racks[n.Labels[RackLabel]]++
		models[n.Labels[v1.LabelInstanceTypeStable]]++
		if len(n.Spec.Taints) > 0 {
			t.Errorf("%s has taints %v", n.Name, n.Spec.Taints)
		}
		if len(n.Status.Conditions) != 1 || n.Status.Conditions[0].Type != v1.NodeReady || n.Status.Conditions[0].Status != v1.ConditionTrue {
			t.Errorf("%s has conditions %v", n.Name, n.Status.Conditions)
		}
		if gpus := n.Status.Allocatable[GPUResource]; gpus.String() != n.Labels[gpuCountLabel] {
			t.Errorf("%s has %s GPUs allocatable and %s by its label", n.Name, &gpus, n.Labels[gpuCountLabel])
		}
	}
	if diff := cmp.Diff(map[string]int{"rack-0001": 16, "rack-0002": 16, "rack-0003": 8, "rack-0004": 10}, racks); diff != "" {
		t.Errorf("nodes a rack (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"hgx-h100": 40, "l40s-4": 10}, models); diff != "" {
		t.Errorf("nodes a model (-want +got):\n%s", diff)
	}
}

func testPods(t *testing.T, c *Cluster) {
	ctx := t.Context()
	const namespace = "team"
	if _, err := c.Client().CoreV1().Namespaces().Create(ctx, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods := c.Client().CoreV1().Pods(namespace)
	const runFor = 1200 * time.Millisecond
	create := func(name, node, runFor string) {
		t.Helper()
		pod := newPod(name, node)
		pod.Namespace = namespace
		if runFor != "" {
			pod.Annotations = map[string]string{RunForAnnotation: runFor}
		}
		if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reaches := func(name string, phase v1.PodPhase) *v1.Pod {
		t.Helper()
		var pod *v1.Pod
		waitFor(t, 20*time.Second, func() (err error) {
			pod, err = pods.Get(ctx, name, metav1.GetOptions{})
			if err == nil && pod.Status.Phase != phase {
				err = fmt.Errorf("pod %s is %s, want %s", name, pod.Status.Phase, phase)
			}
			return err
		})
		return pod
	}

	create("brief", "node-00001", runFor.String())
	create("endless", "node-00002", "")
	create("unbound", "", "1s")
	create("unreadable", "node-00003", "soon")
	reaches("brief", v1.PodRunning)
	seen := time.Now()
	if _, err := pods.Patch(ctx, "brief", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"change"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err) // it does not start the pod's time anew
	}
	if pod := reaches("endless", v1.PodRunning); !pod.Status.ContainerStatuses[0].Ready {
		t.Errorf("the container of a running pod is not ready: %v", pod.Status)
	}
	reaches("brief", v1.PodSucceeded)
	// Running was seen up to one poll after it began.
	if took := time.Since(seen); took < runFor/2 || took > 10*time.Second {
		t.Errorf("a pod that was to run for %s ran for %s", runFor, took)
	}
	if pod := reaches("unreadable", v1.PodFailed); !strings.Contains(pod.Status.Message, `is "soon"`) {
		t.Errorf("the message of a pod that cannot be run is %q", pod.Status.Message)
	}
	if err := pods.Delete(ctx, "endless", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 10*time.Second, func() error {
		if _, err := pods.Get(ctx, "endless", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("pod endless is still there (%v)", err)
		}
		return nil
	})
	reaches("unbound", v1.PodPending)

	got, err := c.Writes(ctx, KubeletUser)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"update pods/status": 5, // brief and endless twice, unreadable
		"delete pods":        1, // endless
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("writes of the kubelets (-want +got):\n%s", diff)
	}
	about, err := c.RequestsAbout(ctx, KubeletUser, func(name string) bool { return name == "endless" })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"update pods/status": 2, "delete pods": 1}, about); diff != "" {
		t.Errorf("requests of the kubelets about one pod (-want +got):\n%s", diff)
	}
	all, err := c.Requests(ctx, KubeletUser)
	if err != nil {
		t.Fatal(err)
	}
	if all["list pods"]+all["watch pods"] > 2 {
		t.Errorf("the kubelets ask for pods more than once: %v", all)
	}
}

func testUsers(t *testing.T, c *Cluster) {
	ctx := t.Context()
	account := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "berth"}}
	if _, err := c.Client().CoreV1().ServiceAccounts("kube-system").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ofAccount, err := c.ServiceAccountKubeconfig(ctx, "kube-system", "berth")
	if err != nil {
		t.Fatal(err)
	}
	ofAlice := filepath.Join(t.TempDir(), "alice")
	if err := c.WriteKubeconfig(ofAlice, "alice", "researchers"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, user, group string
		admin             bool
	}{
		{c.Kubeconfig(), AdminUser, adminGroup, true},
		{ofAccount, "system:serviceaccount:kube-system:berth", "system:serviceaccounts:kube-system", false},
		{ofAlice, "alice", "researchers", false},
	} {
		config, err := clientcmd.BuildConfigFromFlags("", test.path)
		if err != nil {
			t.Fatal(err)
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		is := review.Status.UserInfo
		if is.Username != test.user || !strings.Contains(strings.Join(is.Groups, " "), test.group) {
			t.Errorf("the kubeconfig of %s makes its holder %s in %v", test.user, is.Username, is.Groups)
		}
		_, err = client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
		if test.admin && err != nil || !test.admin && !apierrors.IsForbidden(err) {
			t.Errorf("%s lists nodes: got error %v", test.user, err)
		}
	}
}

func TestStartSaysWhatFailed(t *testing.T) {
	_, err := Start(t.Context(), Options{FeatureGates: map[string]bool{"NoSuchGate": true}})
	if err == nil || !strings.Contains(err.Error(), "kube-apiserver ended") || !strings.Contains(err.Error(), "unrecognized feature gate: NoSuchGate") {
		t.Errorf("got error %v", err)
	}
}
