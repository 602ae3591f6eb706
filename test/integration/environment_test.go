package integration

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// patience is how long a test waits for one thing that it expects.
	patience = 60 * time.Second
	// The machines of the shared cluster: 64 nodes of 8 GPUs in racks of 8.
	nodes    = 64
	nodeGPUs = 8
	rackSize = 8
)

// schedulerBinary is built once for all tests.
var schedulerBinary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "berth-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	schedulerBinary = filepath.Join(dir, "berth")
	build := exec.Command("go", "build", "-o", schedulerBinary, "github.com/berth-dev/berth/cmd/berth")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the scheduler: %v\n%s", err, output)
		return 1
	}
	defer stopShared()
	return m.Run()
}

// environment is a control plane with Berth's manifests applied.
type environment struct {
	*localcluster.Cluster
	client  kubernetes.Interface
	dynamic dynamic.Interface
	// kubeconfig makes its holder the scheduler's service account.
	kubeconfig string
}

var shared struct {
	once sync.Once
	env  *environment
	err  error
}

// stock returns the shared control plane, on which no feature gate is set.
func stock(t *testing.T) *environment {
	t.Helper()
	shared.once.Do(func() {
		shared.env, shared.err = newEnvironment(localcluster.Options{AuditLog: true, Controllers: localcluster.Controllers(), Heartbeat: localcluster.HeartbeatFor(nodes)}, nodes)
	})
	if shared.err != nil {
		t.Fatalf("starting the shared control plane: %v", shared.err)
	}
	return shared.env
}

func stopShared() {
	if shared.env != nil {
		shared.env.Stop()
	}
}

func newEnvironment(options localcluster.Options, nodes int) (*environment, error) {
	return newEnvironmentWith(options, localcluster.Nodes{Count: nodes, RackSize: rackSize, BlockSize: 4})
}

func newEnvironmentWith(options localcluster.Options, nodes localcluster.Nodes) (*environment, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	options.Progress = func(line string) { fmt.Fprintln(os.Stderr, line) }
	cluster, err := localcluster.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	env := &environment{Cluster: cluster, client: cluster.Client(), dynamic: dynamic.NewForConfigOrDie(cluster.AdminConfig())}
	if err := env.prepare(ctx, nodes); err != nil {
		cluster.Stop()
		return nil, err
	}
	return env, nil
}

func (e *environment) prepare(ctx context.Context, nodes localcluster.Nodes) error {
	if err := e.AddNodes(ctx, nodes); err != nil {
		return err
	}
	if err := e.StartKubelets(ctx); err != nil {
		return err
	}
	if err := e.applyManifests(ctx); err != nil {
		return err
	}
	var err error
	e.kubeconfig, err = e.ServiceAccountKubeconfig(ctx, "berth-system", "berth")
	return err
}

// applyManifests gives the scheduler its account and its rights.
func (e *environment) applyManifests(ctx context.Context) error {
	objects, err := manifests.BaseWithoutDeployment()
	if err != nil {
		return err
	}
	return e.CreateObjects(ctx, objects)
}

// scheduler starts Berth for one test, as its service account, and ends it with
// the test. A log line that says forbidden or panic fails the test, and so does a
// packing index that does not agree with the cluster in the end.
func (e *environment) scheduler(t *testing.T, args ...string) *localcluster.Program {
	t.Helper()
	return e.schedulerOn(t, freePort(t), args...)
}

// schedulerOn is scheduler, serving on a port.
func (e *environment) schedulerOn(t *testing.T, port int, args ...string) *localcluster.Program {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "-") + "-" + fmt.Sprint(time.Now().UnixNano())
	leads := !slices.Contains(args, "--leader-elect=true")
	args = slices.Concat([]string{"--kubeconfig=" + e.kubeconfig, "--leader-elect=false", "-v=2"}, e.secureArgs(port), args)
	program, err := e.StartProgram(name, schedulerBinary, args...)
	if err != nil {
		t.Fatalf("starting the scheduler: %v", err)
	}
	if leads {
		e.watchSilence(t, program)
	}
	t.Cleanup(func() {
		select {
		case <-program.Exited():
		default:
			e.checkDrift(t, port, leads)
			program.Kill()
		}
		checkLog(t, program.LogPath())
	})
	return program
}

// checkLog fails the test if the scheduler lacked a permission or panicked.
func checkLog(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Errorf("reading the scheduler's log: %v", err)
		return
	}
	defer file.Close()
	var lines []string
	bad := false
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		lower := strings.ToLower(line)
		if strings.Contains(lower, "forbidden") || strings.Contains(lower, "panic") || strings.Contains(lower, "data race") {
			t.Errorf("the scheduler's log says: %s", line)
			bad = true
		}
		lines = append(lines, line)
	}
	if t.Failed() || bad {
		t.Logf("the end of the scheduler's log:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
}

// namespace makes a namespace for one test. When the test ends its pods are
// deleted, and the test waits until their places are free.
func (e *environment) namespace(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	ns, err := e.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	t.Cleanup(func() { e.empty(t, ns.Name) })
	eventually(t, "the namespace has its service account", func(ctx context.Context) error {
		_, err := e.client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return ns.Name
}

// empty deletes all pods of a namespace and waits until they are gone.
func (e *environment) empty(t *testing.T, namespace string) {
	t.Helper()
	now := int64(0)
	err := e.client.CoreV1().Pods(namespace).DeleteCollection(context.Background(),
		metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	if err != nil {
		t.Errorf("deleting the pods of %q: %v", namespace, err)
	}
	eventually(t, "all pods are gone", func(ctx context.Context) error {
		left, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("pod %q and maybe more are left", left.Items[0].Name)
		}
		return err
	})
}

// eventually waits until check returns nil, and fails the test with its last
// error if that does not come to pass.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	eventuallyWithin(t, patience, what, check)
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	last := errors.New("never asked")
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); err != nil {
			if ctx.Err() == nil {
				last = err
			}
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v after %s; last: %v", what, err, limit, last)
	}
}

// never checks for a while that something does not come to pass. It is no proof,
// and is used only beside a positive check of the same thing.
func never(t *testing.T, what string, while time.Duration, happened func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		yes, err := happened(ctx)
		if ctx.Err() != nil {
			return false, nil
		}
		return yes, err
	})
	switch {
	case err == nil:
		t.Fatalf("%s", what)
	case ctx.Err() == nil:
		t.Fatalf("checking that never %s: %v", what, err)
	}
}
