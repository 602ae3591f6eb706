package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// writersAtATime is how many objects are written at a time.
	writersAtATime = 16
	// runPatience is how long a run may take.
	runPatience = 30 * time.Minute
	// filledGPUs is how many GPUs the pods on a node of the filled cluster take.
	filledGPUs = 5
)

var podGroups = schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1beta1", Resource: "podgroups"}

// world is a cluster on which contenders are measured.
type world struct {
	*localcluster.Cluster
	client  kubernetes.Interface
	dynamic dynamic.Interface
	nodes   int
	small   bool
	// reasonsFor is how long gangs wait in the scenario reasons.
	reasonsFor time.Duration
	// profiles is where profiles are kept; nowhere if empty.
	profiles string
	// runs counts the processes that were started, for names that are free.
	runs int
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// newWorld starts a cluster of empty nodes.
func newWorld(ctx context.Context, nodes int, o *options) (*world, error) {
	cluster, err := localcluster.Start(ctx, localcluster.Options{
		// Native PodGroups, which all contenders know.
		FeatureGates:  map[string]bool{"GenericWorkload": true},
		RuntimeConfig: []string{"scheduling.k8s.io/v1beta1=true"},
		Controllers:   []string{"deployment-controller", "replicaset-controller", "job-controller", "podgroup-protection-controller"},
		AuditLog:      true,
		Progress:      func(text string) { say("%s", text) },
	})
	if err != nil {
		return nil, err
	}
	w := &world{Cluster: cluster, client: cluster.Client(), nodes: nodes, small: o.small, reasonsFor: o.reasonsFor, profiles: o.profiles}
	if err := w.prepare(ctx); err != nil {
		cluster.Stop()
		return nil, err
	}
	return w, nil
}

func (w *world) prepare(ctx context.Context) (err error) {
	if w.dynamic, err = dynamic.NewForConfig(w.AdminConfig()); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if err := w.AddNodes(ctx, localcluster.Nodes{Count: w.nodes}); err != nil {
		return err
	}
	objects, err := manifests.BaseWithoutDeployment()
	if err != nil {
		return err
	}
	if err := w.CreateObjects(ctx, objects); err != nil {
		return err
	}
	for _, name := range []string{measuredNamespace, filledNamespace} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := w.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating namespace %q: %w", name, err)
		}
		if err := w.poll(ctx, "the service account of namespace "+name, func() (bool, error) {
			_, err := w.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
			return err == nil, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// poll waits until something is so.
func (w *world) poll(ctx context.Context, what string, so func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, runPatience, true, func(context.Context) (bool, error) { return so() })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// pause waits for a time, unless the run ends before.
func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-time.After(long):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fill puts pods on all nodes, bound from the first on.
func (w *world) fill(ctx context.Context, podsPerNode int) error {
	nodes, err := w.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the nodes: %w", err)
	}
	var pods []*corev1.Pod
	for i := range nodes.Items {
		for j := range podsPerNode {
			s := podSpec{name: fmt.Sprintf("filled-%d-%d", i, j), namespace: filledNamespace, role: "filled", scheduler: "default-scheduler", node: nodes.Items[i].Name}
			if j == 0 {
				s.gpus = filledGPUs
			}
			pods = append(pods, s.pod())
		}
	}
	say("putting %d pods on the nodes", len(pods))
	began, last := time.Now(), time.Now()
	return w.createPods(ctx, pods, func(made int) {
		if time.Since(last) > 10*time.Second {
			last = time.Now()
			say("  %d of %d, %.0f a second", made, len(pods), float64(made)/time.Since(began).Seconds())
		}
	})
}

// createPods makes pods, and tells after each some how many there are.
func (w *world) createPods(ctx context.Context, pods []*corev1.Pod, progress func(made int)) error {
	for made, some := range slices.Collect(slices.Chunk(pods, 500)) {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(writersAtATime)
		for _, pod := range some {
			group.Go(func() error {
				_, err := w.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
				if err != nil {
					return fmt.Errorf("creating pod %q: %w", pod.Name, err)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if progress != nil {
			progress(500*made + len(some))
		}
	}
	return nil
}

// createGroups makes PodGroups of gangs of a size, by their names.
func (w *world) createGroups(ctx context.Context, names []string, size int, rack bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtATime)
	for _, name := range names {
		group.Go(func() error {
			_, err := w.dynamic.Resource(podGroups).Namespace(measuredNamespace).Create(ctx, podGroup(name, size, rack), metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("creating PodGroup %q: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// clean deletes what a run has made.
func (w *world) clean(ctx context.Context) error {
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	err := errors.Join(
		w.client.AppsV1().Deployments(measuredNamespace).DeleteCollection(ctx, now, metav1.ListOptions{}),
		w.client.BatchV1().Jobs(measuredNamespace).DeleteCollection(ctx, now, metav1.ListOptions{}),
		w.client.AppsV1().ReplicaSets(measuredNamespace).DeleteCollection(ctx, now, metav1.ListOptions{}),
		w.dynamic.Resource(podGroups).Namespace(measuredNamespace).DeleteCollection(ctx, now, metav1.ListOptions{}),
	)
	if err != nil {
		return fmt.Errorf("deleting what was measured: %w", err)
	}
	// An API server that is busy with deleting thousands of pods may cut an answer off.
	var failed error
	err = w.poll(ctx, "the pods of the run to be gone", func() (gone bool, _ error) {
		gone, failed = w.nothingLeft(ctx)
		return gone, nil
	})
	if err != nil {
		return errors.Join(err, failed)
	}
	return nil
}

// nothingLeft removes what a run has made, and reports whether all is gone.
func (w *world) nothingLeft(ctx context.Context) (bool, error) {
	gone, err := w.removePods(ctx, metav1.ListOptions{})
	if err != nil || !gone {
		return false, err
	}
	groups, err := w.dynamic.Resource(podGroups).Namespace(measuredNamespace).List(ctx, metav1.ListOptions{Limit: 1})
	return err == nil && len(groups.Items) == 0, err
}

// removePods deletes measured pods at once, for there is no kubelet to end them. It reports
// whether all are gone, and is to be called until they are.
func (w *world) removePods(ctx context.Context, which metav1.ListOptions) (gone bool, err error) {
	pods := w.client.CoreV1().Pods(measuredNamespace)
	err = pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}, which)
	if err != nil && !apierrors.IsTimeout(err) {
		return false, err
	}
	which.Limit = 1
	left, err := pods.List(ctx, which)
	return err == nil && len(left.Items) == 0, err
}

// start starts a contender, which has to win an election or not.
func (w *world) start(ctx context.Context, c contender, elect bool) (*process, error) {
	kubeconfig := filepath.Join(w.Dir(), c.name+".kubeconfig")
	var err error
	if c.isBerth() {
		kubeconfig, err = w.ServiceAccountKubeconfig(ctx, "berth-system", "berth")
	} else {
		// Rights are not what is measured.
		err = w.WriteKubeconfig(kubeconfig, c.user, "system:masters")
	}
	if err != nil {
		return nil, err
	}
	p := &process{contender: c}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	args, err := c.serving(kubeconfig, p.port, elect)
	if err != nil {
		return nil, err
	}
	w.runs++
	p.started = time.Now()
	p.Program, err = w.StartProgram(fmt.Sprintf("%s-%d", c.name, w.runs), c.binary, args...)
	return p, err
}

// ready starts a contender, and waits until it has bound a pod, which then goes.
func (w *world) ready(ctx context.Context, c contender) (*process, error) {
	p, err := w.start(ctx, c, false)
	if err != nil {
		return nil, err
	}
	if err := w.warmUp(ctx, p); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

func (w *world) warmUp(ctx context.Context, p *process) error {
	pods := w.client.CoreV1().Pods(measuredNamespace)
	pod := podSpec{name: "warm-up", namespace: measuredNamespace, role: "warm-up", scheduler: p.contender.scheduler}.pod()
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating a pod: %w", err)
	}
	if err := w.poll(ctx, p.contender.name+" to bind a pod", func() (bool, error) {
		select {
		case <-p.Exited():
			return false, p.Failure()
		default:
		}
		found, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		return err == nil && found.Spec.NodeName != "", err
	}); err != nil {
		return err
	}
	return pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
}

// end ends a process as its user would.
func (p *process) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p.Terminate(ctx)
}

// writesOf counts what the contender has written until now.
func (w *world) writesOf(ctx context.Context, c contender) (int, error) {
	counts, err := w.Writes(ctx, c.user)
	if err != nil {
		return 0, err
	}
	all := 0
	for what, n := range counts {
		if what != "update leases" && what != "create subjectaccessreviews" && what != "create tokenreviews" {
			all += n
		}
	}
	return all, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
