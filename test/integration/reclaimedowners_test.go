package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/test/operators"
)

// A reclaimedKind is a kind of owner, two of which fill the cluster.
type reclaimedKind struct {
	operator string
	// object is one that has half of the nodes, with NAME for its name, after what it needs, and
	// selector selects its pods.
	object, selector string
	// topology is what its pods require; "" if they are several gangs, which need not fit then.
	topology string
	// failed says what is wrong with one that does not run on.
	failed func(*unstructured.Unstructured) string
}

var reclaimedKinds = []reclaimedKind{
	{
		// A JobSet of two gangs that fails with the first pod that is evicted.
		operator: "jobset",
		object: `
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata: {name: NAME}
spec:
  replicatedJobs:
    - name: driver
      replicas: 1
      template: {spec: {parallelism: 4, completions: 4, completionMode: Indexed, backoffLimit: 0, template: TEMPLATE}}
    - name: workers
      replicas: 2
      template: {spec: {parallelism: 14, completions: 14, completionMode: Indexed, backoffLimit: 0, template: TEMPLATE}}
`,
		selector: "jobset.sigs.k8s.io/jobset-name=NAME",
		failed: func(o *unstructured.Unstructured) string {
			state, _, _ := unstructured.NestedString(o.Object, "status", "terminalState")
			restarts, _, _ := unstructured.NestedInt64(o.Object, "status", "restarts")
			if state != "" || restarts > 0 {
				return fmt.Sprintf("it is %q after %d restarts", state, restarts)
			}
			return ""
		},
	},
	{
		operator: "kuberay",
		object: `
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: NAME, labels: {ray.io/gang-scheduling-enabled: "true"}}
spec:
  headGroupSpec: {rayStartParams: {}, template: TEMPLATE}
  workerGroupSpecs:
    - {groupName: gpu, replicas: 31, minReplicas: 31, maxReplicas: 31, rayStartParams: {}, template: TEMPLATE}
`,
		selector: "ray.io/cluster=NAME",
		topology: "block",
		failed: func(o *unstructured.Unstructured) string {
			if state, _, _ := unstructured.NestedString(o.Object, "status", "state"); state == "failed" {
				return "its state is failed"
			}
			return ""
		},
	},
	{
		// The JobSet of a TrainJob fails with the first pod that is evicted, unless Trainer was
		// told otherwise.
		operator: "trainer",
		object: `
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainingRuntime
metadata: {name: NAME, labels: {trainer.kubeflow.org/framework: torch}}
spec:
  mlPolicy: {numNodes: 32, torch: {}}
  podGroupPolicy: {coscheduling: {scheduleTimeoutSeconds: 120}}
  template:
    spec:
      replicatedJobs:
        - name: node
          template:
            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
            spec: {backoffLimit: 0, template: TEMPLATE}
---
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: NAME}
spec:
  runtimeRef: {apiGroup: trainer.kubeflow.org, kind: TrainingRuntime, name: NAME}
`,
		selector: "jobset.sigs.k8s.io/jobset-name=NAME",
		topology: "block",
		failed:   failedCondition,
	},
	{
		operator: "mpi",
		object: `
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata: {name: NAME}
spec:
  slotsPerWorker: 8
  runPolicy: {backoffLimit: 0}
  mpiReplicaSpecs:
    Launcher: {replicas: 1, restartPolicy: Never, template: TEMPLATE}
    Worker: {replicas: 31, restartPolicy: Never, template: TEMPLATE}
`,
		selector: "training.kubeflow.org/job-name=NAME",
		topology: "block",
		failed:   failedCondition,
	},
}

// failedCondition says what a condition Failed or Restarting says.
func failedCondition(o *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		c, _ := c.(map[string]any)
		if (c["type"] == "Failed" || c["type"] == "Restarting") && c["status"] == "True" {
			return fmt.Sprintf("it is %v: %v", c["type"], c["message"])
		}
	}
	return ""
}

const reclaimedTemplate = `{metadata: {labels: {berth.dev/queue: borrower}, annotations: {TOPOLOGY}}, spec: {schedulerName: berth, restartPolicy: RESTART, terminationGracePeriodSeconds: 0,
  containers: [{name: node, image: none, resources: {limits: {cpu: "1", memory: 1Gi, nvidia.com/gpu: "8"}}}]}}`

// Owners whose controllers are the released ones fill the cluster, and a gang that is entitled
// to half of it comes five times. Each time one of them gives up its place, whole, and comes
// again, whole: none ever fails or restarts.
func TestReclaimedOwnersComeAgain(t *testing.T) {
	for _, kind := range reclaimedKinds {
		t.Run(kind.operator, func(t *testing.T) {
			var which operators.Operator
			for _, o := range operators.All() {
				if o.Release.Name == kind.operator {
					which = o
				}
			}
			if !which.Common && *whichOperators != "all" && *whichOperators != kind.operator {
				t.Skipf("%s is tried with -operators=all or -operators=%s: it takes minutes to build", which.Title, kind.operator)
			}
			reclaimOwners(t, stock(t), which, kind)
		})
	}
}

func reclaimOwners(t *testing.T, e *environment, which operators.Operator, kind reclaimedKind) {
	ns := e.namespace(t)
	for _, name := range which.Foreign {
		e.define(t, name, foreignKinds[name])
	}
	running, err := which.Start(t.Context(), e.Cluster, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if errors.Is(err, localcluster.ErrNotDownloaded) {
		t.Skipf("%s is not tried: %v", which.Title, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", which.Title, running.Log())
		}
		if err := running.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	e.maySuspend(t)
	const half = nodes / 2
	e.queue(t, "owner", fmt.Sprintf(`{namespaces: [%s], resources: [{name: nvidia.com/gpu, guaranteed: %d, weight: 0}]}`, ns, half*nodeGPUs))
	e.queue(t, "borrower", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	var args []string
	if len(which.Schedulers) > 0 {
		args = append(args, "--config="+e.profiles(t, which.Schedulers))
	}
	e.scheduler(t, args...)

	r := &reclaimed{environment: e, t: t, kind: kind, namespace: ns, blocks: e.readBlocks(t)}
	before := map[string]map[types.UID]time.Time{}
	for _, name := range []string{"one", "two"} {
		r.make(name)
	}
	for _, name := range []string{"one", "two"} {
		before[name] = r.whole(name)
	}
	for round := range 5 {
		gang := gangOf("owner", half, nodeGPUs, inQueue("owner"), ours("owner", half))
		e.create(t, ns, gang...)
		e.expectByQueue(t, ns, map[string]int{"owner": half, "borrower": half})
		at := time.Now()
		for _, p := range gang {
			if err := e.client.CoreV1().Pods(ns).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
		gone, lost := 0, time.Duration(0)
		for name, old := range before {
			after := r.whole(name)
			left := 0
			for uid, started := range old {
				if _, stays := after[uid]; stays {
					left++
					continue
				}
				gone, lost = gone+1, lost+at.Sub(started)*nodeGPUs
			}
			if left != 0 && left != half {
				t.Errorf("round %d: of %s, %d pods of %d have gone", round+1, name, half-left, half)
			}
			before[name] = after
		}
		t.Logf("round %d: %d pods have gone and come again, %.0f device-seconds are lost", round+1, gone, lost.Seconds())
		if gone != half {
			t.Errorf("round %d: %d pods have gone, want those of one %s", round+1, gone, which.Title)
		}
	}
	if err := running.Exited(); err != nil {
		t.Error(err)
	}
}

// reclaimed is two owners of a kind.
type reclaimed struct {
	*environment
	t         *testing.T
	kind      reclaimedKind
	namespace string
	resource  schema.GroupVersionResource
	blocks    map[string]string // of nodes
}

func (r *reclaimed) make(name string) {
	r.t.Helper()
	restart := "Never"
	if r.kind.operator == "kuberay" {
		restart = "Always"
	}
	topology := ""
	if r.kind.topology != "" {
		topology = "berth.dev/required-topology: " + r.kind.topology
	}
	template := strings.NewReplacer("RESTART", restart, "TOPOLOGY", topology).Replace(reclaimedTemplate)
	text := strings.NewReplacer("NAME", name, "TEMPLATE", template).Replace(r.kind.object)
	var objects []*unstructured.Unstructured
	for _, text := range strings.Split(text, "\n---\n") {
		o := object(r.t, text)
		o.SetNamespace(r.namespace)
		objects = append(objects, o)
	}
	o := objects[len(objects)-1]
	r.resource, _ = dialect.OwnerRef{APIVersion: o.GetAPIVersion(), Kind: o.GetKind()}.Readable()
	if err := r.CreateObjects(r.t.Context(), objects); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = r.dynamic.Resource(r.resource).Namespace(r.namespace).Delete(context.Background(), name, metav1.DeleteOptions{})
	})
}

// whole waits until an owner runs whole, and fails the test if it does not run on, or is not in
// one block as it requires. It returns when each of its pods began.
func (r *reclaimed) whole(name string) map[types.UID]time.Time {
	r.t.Helper()
	var out map[types.UID]time.Time
	var in map[string]bool // blocks
	eventually(r.t, name+" runs whole", func(ctx context.Context) error {
		o, err := r.dynamic.Resource(r.resource).Namespace(r.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if why := r.kind.failed(o); why != "" {
			r.t.Fatalf("%s does not run on: %s", name, why)
		}
		pods, err := r.client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: strings.ReplaceAll(r.kind.selector, "NAME", name)})
		if err != nil {
			return err
		}
		out = map[types.UID]time.Time{}
		in = map[string]bool{}
		for i := range pods.Items {
			if p := &pods.Items[i]; p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil && p.Status.StartTime != nil {
				out[p.UID] = p.Status.StartTime.Time
				in[r.blocks[p.Spec.NodeName]] = true
			}
		}
		if len(out) != nodes/2 {
			return fmt.Errorf("%d of %d pods run", len(out), len(pods.Items))
		}
		return nil
	})
	if r.kind.topology != "" && len(in) != 1 {
		r.t.Errorf("%s requires a block, and is in %v", name, slices.Sorted(maps.Keys(in)))
	}
	return out
}

// readBlocks returns the block of each node.
func (e *environment) readBlocks(t *testing.T) map[string]string {
	t.Helper()
	all, err := e.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for i := range all.Items {
		blocks[all.Items[i].Name] = all.Items[i].Labels[localcluster.BlockLabel]
	}
	return blocks
}
