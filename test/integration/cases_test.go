package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/test/operators"
)

// TestCases plays the scenarios under testdata/cases on a real API server with 16 nodes
// of 8 GPUs, racks of 4 and blocks of 2 racks. A scenario is commands, one a line:
//
//	object KIND NAME [FIELD=N]   apply an object that declares a gang
//	gang NAME N [...]            create the pods NAME-0 to NAME-(N-1) of a gang of that name and size
//	pod NAME [gang=G size=N] [gpus=N] [required=LEVEL] [gate=GATE] [hold] [runs=DURATION]
//	         [annotation=KEY:VALUE] [label=KEY:VALUE] [node=NODE] [queue=Q] [priority=CLASS]
//	delete NAME...       delete pods; those made with "hold" run on until let go
//	letgo NAME...        end them
//	ungate NAME...       take the gates off
//	annotate NAME KEY=VALUE
//	job NAME completions=N parallelism=N size=N [gpus=N] [runs=DURATION]   see jobs_test.go
//	suspend JOB          and resume; deletejob; delete-index JOB INDEX
//	jobbound JOB N       wait until so many of its pods, that have not ended, have nodes
//	jobdone JOB          wait until it is complete
//	queue NAME SPEC      make a queue, of a spec as YAML in which NAMESPACE is the scenario's
//	priority NAME N      make a priority class
//	budget NAME KEY=VALUE minAvailable=N     make or change a disruption budget
//	budgetsees NAME N    wait until its controller has counted so many healthy pods
//	leaving N            wait until so many pods are being deleted, and check that it stays so for 8 s
//	letgo-leaving        end those
//	keeps D NAME REASON  check that the pod says so for that long
//	cordon NODE...       and uncordon; taint NODE... and untaint, with NoSchedule
//	spare NODE...        make nodes spares, and unspare
//	lose NAME...         cordon the nodes of pods, and delete these
//	onspare NAME...      check that the pods are on spares
//	restart [FLAG...]    stop the scheduler and start another
//	bound NAME...        wait until the pods have nodes
//	ended NAME...        wait until the pods have succeeded
//	gone NAME...         wait until there are no such pods
//	held NAME REASON [TEXT...]   wait until the pod says so
//	waits NAME...        check that the pods have no node, now and for a second
//	stays NAME...        check that the pods are not deleted, now and for 5 seconds
//	inrack NAME...       check that the pods share a rack
//	notrack A B          check that pods A and B are in two racks
//
// NAME-0..2 stands for NAME-0 NAME-1 NAME-2, and there are those about objects of any kind, of
// objectCommand. Lines that start with # are comments. Names of nodes are those of the cluster.
func TestCases(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	e, err := newLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	for name, resource := range declaringKinds {
		e.define(t, name, resource)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			c := &caseRun{environment: e, t: t, whole: t, namespace: e.namespace(t)}
			t.Cleanup(c.tidy)
			c.program = e.scheduler(t)
			lines := bufio.NewScanner(file)
			for number := 1; lines.Scan(); number++ {
				line := strings.TrimSpace(lines.Text())
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				c.where = fmt.Sprintf("%s:%d: %s", filepath.Base(path), number, line)
				words := strings.Fields(line)
				c.do(words[0], words[1:])
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// declaringKinds are kinds whose objects declare gangs, by the names of their definitions.
var declaringKinds = map[string]schema.GroupVersionResource{
	"kai":               {Group: "scheduling.run.ai", Version: "v2alpha2", Resource: "podgroups"},
	"scheduler-plugins": podGroups,
}

// newLab starts a control plane with 16 nodes.
func newLab() (*environment, error) {
	return newEnvironmentWith(localcluster.Options{Controllers: localcluster.Controllers(), Heartbeat: localcluster.HeartbeatFor(16)}, localcluster.Nodes{Count: 16, RackSize: 4, BlockSize: 2})
}

// caseRun is one scenario that is being played.
type caseRun struct {
	*environment
	t         *testing.T
	namespace string
	program   *localcluster.Program
	// whole is the test of the whole scenario, and args are the scheduler's.
	whole *testing.T
	args  []string
	// operator makes the pods, if one does; noted are some of them.
	operator *operators.Running
	noted    map[types.UID]bool
	// where is the line that is played. nodes are those that were changed.
	where string
	nodes []string
}

// do plays one command.
func (c *caseRun) do(command string, args []string) {
	c.t.Helper()
	if command != "queue" {
		args = expanded(args)
	}
	each := func(f func(name string) error) {
		c.t.Helper()
		for _, name := range args {
			if err := f(name); err != nil {
				c.t.Fatalf("%s: %v", c.where, err)
			}
		}
	}
	switch command {
	case "gang":
		var members int
		if _, err := fmt.Sscan(args[1], &members); err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
		var pods []*corev1.Pod
		for i := range members {
			words := []string{fmt.Sprintf("%s-%d", args[0], i), "gang=" + args[0], "size=" + args[1]}
			pods = append(pods, c.pod(slices.Concat(words, args[2:])))
		}
		if err := c.tryCreate(c.t.Context(), c.namespace, pods); err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
	case "pod":
		if err := c.tryCreate(c.t.Context(), c.namespace, []*corev1.Pod{c.pod(args)}); err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
	case "object":
		c.object(args)
	case "job", "jobbound", "jobdone", "delete-index", "suspend", "resume", "deletejob":
		c.jobCommand(command, args)
	case "queue", "priority", "budget", "budgetsees", "leaving", "letgo-leaving", "keeps":
		c.queueCommand(command, args)
	case "delete":
		each(func(name string) error {
			return c.client.CoreV1().Pods(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{})
		})
	case "letgo":
		each(func(name string) error {
			return c.client.CoreV1().Pods(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		})
	case "ungate":
		each(func(name string) error { return c.edit(name, func(p *corev1.Pod) { p.Spec.SchedulingGates = nil }) })
	case "annotate":
		key, value, _ := strings.Cut(args[1], "=")
		args = args[:1]
		each(func(name string) error {
			return c.edit(name, func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value) })
		})
	case "cordon", "uncordon":
		each(func(name string) error {
			return c.editNode(name, func(n *corev1.Node) { n.Spec.Unschedulable = command == "cordon" })
		})
	case "taint":
		each(func(name string) error {
			return c.editNode(name, func(n *corev1.Node) {
				n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "example.com/sick", Effect: corev1.TaintEffectNoSchedule})
			})
		})
	case "untaint":
		each(func(name string) error { return c.editNode(name, func(n *corev1.Node) { n.Spec.Taints = nil }) })
	case "spare", "unspare":
		each(func(name string) error {
			return c.editNode(name, func(n *corev1.Node) {
				if delete(n.Labels, spareLabel); command == "spare" {
					n.Labels[spareLabel] = "true"
				}
			})
		})
	case "lose":
		each(func(name string) error {
			if err := c.editNode(c.nodeOf(name).Name, func(n *corev1.Node) { n.Spec.Unschedulable = true }); err != nil {
				return err
			}
			return c.client.CoreV1().Pods(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{})
		})
	case "onspare":
		each(func(name string) error {
			if n := c.nodeOf(name); n.Labels[spareLabel] != "true" {
				return fmt.Errorf("pod %q is on node %q, which is no spare", name, n.Name)
			}
			return nil
		})
	case "restart":
		c.program.Kill()
		// The API keeps whole seconds: a pod that is made in the second of the last bind
		// looks as if it had been left behind.
		next := time.Now().Truncate(time.Second).Add(time.Second)
		eventually(c.t, c.where, func(context.Context) error {
			if !time.Now().After(next) {
				return errors.New("it is still the same second")
			}
			return nil
		})
		c.program = c.scheduler(c.whole, slices.Concat(c.args, args)...)
	case "bound":
		c.await(args, "has a node", func(p *corev1.Pod) bool { return p.Spec.NodeName != "" })
	case "ended":
		c.await(args, "has succeeded", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
	case "gone":
		for _, name := range args {
			c.awaitGone(name)
		}
	case "held":
		c.held(args[0], args[1], strings.Join(args[2:], " "))
	case "waits":
		never(c.t, c.where+": one has a node", time.Second, func(ctx context.Context) (bool, error) {
			for _, name := range args {
				if p, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{}); err != nil || p.Spec.NodeName != "" {
					return true, err
				}
			}
			return false, nil
		})
	case "stays":
		never(c.t, c.where+": one is deleted", 5*time.Second, func(ctx context.Context) (bool, error) {
			for _, name := range args {
				if p, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{}); err != nil || p.DeletionTimestamp != nil {
					return true, err
				}
			}
			return false, nil
		})
	case "inrack":
		if racks := c.racks(args); len(slices.Compact(racks)) != 1 {
			c.t.Errorf("%s: they are in racks %v", c.where, racks)
		}
	case "notrack":
		if racks := c.racks(args); len(slices.Compact(racks)) == 1 {
			c.t.Errorf("%s: they are in racks %v", c.where, racks)
		}
	default:
		if !c.objectCommand(command, args) {
			c.t.Fatalf("%s: no such command", c.where)
		}
	}
}

// expanded returns words in which NAME-0..2 stands for NAME-0 NAME-1 NAME-2.
func expanded(words []string) []string {
	var out []string
	for _, word := range words {
		before, last, is := strings.Cut(word, "..")
		at := strings.LastIndex(before, "-") + 1
		var from, to int
		if n, _ := fmt.Sscan(before[at:]+" "+last, &from, &to); !is || n != 2 {
			out = append(out, word)
			continue
		}
		for i := from; i <= to; i++ {
			out = append(out, fmt.Sprint(before[:at], i))
		}
	}
	return out
}

// pod makes a pod of the words that describe it.
func (c *caseRun) pod(args []string) *corev1.Pod {
	c.t.Helper()
	gpus := int64(8)
	p := pod(args[0], gpus)
	p.Spec.TerminationGracePeriodSeconds = new(int64)
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		key, of, _ := strings.Cut(value, ":")
		switch name {
		case "gang":
			p.Labels["berth.dev/gang"] = value
		case "size":
			p.Annotations["berth.dev/gang-size"] = value
		case "required":
			p.Annotations["berth.dev/required-topology"] = value
		case "queue":
			p.Labels["berth.dev/queue"] = value
		case "priority":
			p.Spec.PriorityClassName = value
		case "runs":
			p.Annotations[localcluster.RunForAnnotation] = value
		case "label":
			p.Labels[key] = of
		case "annotation":
			p.Annotations[key] = of
		case "gate":
			p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: value})
		case "hold":
			hour := int64(3600)
			p.Spec.TerminationGracePeriodSeconds = &hour
			p.Annotations[localcluster.ExitAfterAnnotation] = "1h"
		case "node":
			p.Spec.NodeName = value
		case "claim":
			p.Spec.ResourceClaims = append(p.Spec.ResourceClaims, corev1.PodResourceClaim{Name: value, ResourceClaimName: &value})
		case "gpus":
			if _, err := fmt.Sscan(value, &gpus); err != nil {
				c.t.Fatalf("%s: %v", c.where, err)
			}
			p.Spec.Containers = pod(args[0], gpus).Spec.Containers
		default:
			c.t.Fatalf("%s: a pod has no %q", c.where, name)
		}
	}
	return p
}

// object creates or changes an object of a kind that declares gangs: kind, name, and the
// fields of its spec.
func (c *caseRun) object(args []string) {
	c.t.Helper()
	resource, known := declaringKinds[args[0]]
	if !known {
		c.t.Fatalf("%s: no such kind", c.where)
	}
	spec := map[string]any{}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		var n int64
		if _, err := fmt.Sscan(value, &n); err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
		spec[name] = n
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(), "kind": "PodGroup",
		"metadata": map[string]any{"name": args[1], "namespace": c.namespace}, "spec": spec,
	}}
	eventually(c.t, c.where, func(ctx context.Context) error {
		_, err := c.dynamic.Resource(resource).Namespace(c.namespace).Apply(ctx, args[1], object, metav1.ApplyOptions{FieldManager: "test", Force: true})
		return err
	})
}

func (c *caseRun) edit(name string, change func(*corev1.Pod)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		p, err := c.client.CoreV1().Pods(c.namespace).Get(c.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(p)
		_, err = c.client.CoreV1().Pods(c.namespace).Update(c.t.Context(), p, metav1.UpdateOptions{})
		return err
	})
}

func (c *caseRun) editNode(name string, change func(*corev1.Node)) error {
	c.nodes = append(c.nodes, name)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		n, err := c.client.CoreV1().Nodes().Get(c.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(n)
		_, err = c.client.CoreV1().Nodes().Update(c.t.Context(), n, metav1.UpdateOptions{})
		return err
	})
}

// await waits until something is so of each pod.
func (c *caseRun) await(names []string, what string, is func(*corev1.Pod) bool) {
	c.t.Helper()
	for _, name := range names {
		eventually(c.t, c.where, func(ctx context.Context) error {
			p, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{})
			if err == nil && !is(p) {
				err = fmt.Errorf("not yet true of pod %q: %s; its phase is %s, its conditions are %+v", name, what, p.Status.Phase, p.Status.Conditions)
			}
			return err
		})
	}
}

// awaitGone waits until there is no pod of that name.
func (c *caseRun) awaitGone(name string) {
	c.t.Helper()
	eventually(c.t, c.where, func(ctx context.Context) error {
		_, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil:
			return fmt.Errorf("pod %q is there", name)
		}
		return err
	})
}

// held waits until a pod says that it waits for a reason.
func (c *caseRun) held(name, reason, text string) {
	c.t.Helper()
	c.await([]string{name}, "says "+reason+" "+text, func(p *corev1.Pod) bool {
		return p.Spec.NodeName == "" && slices.ContainsFunc(p.Status.Conditions, func(s corev1.PodCondition) bool {
			return s.Type == corev1.PodScheduled && s.Status == corev1.ConditionFalse && s.Reason == reason && strings.Contains(s.Message, text)
		})
	})
}

// racks returns the racks of pods, in order.
func (c *caseRun) racks(names []string) []string {
	c.t.Helper()
	var racks []string
	for _, name := range names {
		n := c.nodeOf(name)
		racks = append(racks, n.Labels[localcluster.BlockLabel]+"/"+n.Labels[localcluster.RackLabel])
	}
	slices.Sort(racks)
	return racks
}

// spareLabel makes a node a spare.
const spareLabel = "berth.dev/spare"

// nodeOf returns the node of a pod.
func (c *caseRun) nodeOf(name string) *corev1.Node {
	c.t.Helper()
	p, err := c.client.CoreV1().Pods(c.namespace).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	n, err := c.client.CoreV1().Nodes().Get(c.t.Context(), p.Spec.NodeName, metav1.GetOptions{})
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	return n
}

// tidy makes nodes as they were.
func (c *caseRun) tidy() {
	for _, name := range c.nodes {
		for _, patch := range []string{`{"spec":{"unschedulable":null}}`, `{"spec":{"taints":null}}`, `{"metadata":{"labels":{"` + spareLabel + `":null}}}`} {
			if _, err := c.client.CoreV1().Nodes().Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				c.t.Errorf("tidying up node %q: %v", name, err)
			}
		}
	}
}
