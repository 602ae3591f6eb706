package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

// infirmary is a cluster of two racks of four nodes whose node lifecycle controller takes a node
// for dead after five seconds.
func infirmary(t *testing.T) *environment {
	t.Helper()
	e, err := newEnvironmentWith(localcluster.Options{Controllers: localcluster.Controllers(), Heartbeat: time.Second}, localcluster.Nodes{Count: 8, RackSize: 4, BlockSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// gangJob makes a Job of a gang that needs whole nodes of one rack.
func (e *environment) gangJob(t *testing.T, namespace, name string, size int32, changes ...func(*corev1.Pod)) {
	t.Helper()
	indexed := batchv1.IndexedCompletion
	template := pod("", nodeGPUs, append(changes, annotations("berth.dev/gang-size", fmt.Sprint(size), "berth.dev/required-topology", "rack"))...)
	_, err := e.client.BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			Completions: &size, Parallelism: &size, CompletionMode: &indexed,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations}, Spec: template.Spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		_ = e.client.BatchV1().Jobs(namespace).Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	})
}

// soonEvicted tolerates nodes that are not there for two seconds.
func soonEvicted(p *corev1.Pod) {
	two := int64(2)
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &two})
	}
}

// whole waits until so many pods of a Job have a node and stay, and returns them by node.
func (e *environment) whole(t *testing.T, namespace, job string, want int) map[string]*corev1.Pod {
	t.Helper()
	var on map[string]*corev1.Pod
	eventuallyWithin(t, 2*patience, fmt.Sprintf("Job %q has %d pods with a node", job, want), func(ctx context.Context) error {
		pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
		if err != nil {
			return err
		}
		on = map[string]*corev1.Pod{}
		said := ""
		for i := range pods.Items {
			p := &pods.Items[i]
			if p.Spec.NodeName != "" && p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
				on[p.Spec.NodeName] = p
			}
			said += fmt.Sprintf("; %s on %q %s %s", p.Name, p.Spec.NodeName, p.Status.Phase, p.Status.Reason)
		}
		if len(on) != want {
			return fmt.Errorf("%d have%s", len(on), said)
		}
		return nil
	})
	return on
}

// said waits until an event of a reason says something, and returns what it is about.
func (e *environment) said(t *testing.T, namespace, reason, text string) corev1.ObjectReference {
	t.Helper()
	var about corev1.ObjectReference
	eventually(t, fmt.Sprintf("an event %s says %q", reason, text), func(ctx context.Context) error {
		events, err := e.client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var notes []string
		for i := range events.Items {
			ev := &events.Items[i]
			if ev.Reason == reason && strings.Contains(ev.Note, text) {
				about = ev.Regarding
				return nil
			}
			notes = append(notes, ev.Reason+": "+ev.Note)
		}
		return fmt.Errorf("they are %q", notes)
	})
	return about
}

func (e *environment) rackOf(t *testing.T, node string) string {
	t.Helper()
	n, err := e.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Labels["topology.kubernetes.io/rack"]
}

func (e *environment) inOneRack(t *testing.T, on map[string]*corev1.Pod) string {
	t.Helper()
	racks := map[string]bool{}
	rack := ""
	for node := range on {
		rack = e.rackOf(t, node)
		racks[rack] = true
	}
	if len(racks) != 1 {
		t.Errorf("the gang is in racks %v", racks)
	}
	return rack
}

func (e *environment) apply(t *testing.T, f drill.Fault, undo bool) {
	t.Helper()
	do := f.Apply
	if undo {
		do = f.Undo
	}
	if err := do(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRepair loses members of gangs in a cluster with real controllers.
func TestRepair(t *testing.T) {
	t.Parallel()
	e := infirmary(t)
	e.scheduler(t)
	t.Run("a pod is refused by its kubelet", func(t *testing.T) { testRefusedPod(t, e) })
	t.Run("a node goes dark", func(t *testing.T) { testDarkNode(t, e) })
}

func testRefusedPod(t *testing.T, e *environment) {
	ns := e.namespace(t)
	refuse := drill.Refuse(e.client, []string{"node-00002", "node-00006"}, localcluster.ReasonUnexpectedAdmission)
	e.apply(t, refuse, false)
	e.gangJob(t, ns, "train", 4)
	about := e.said(t, ns, "GangShort", "refused by its kubelet): on-loss replace")
	if about.Kind != "Job" || about.Name != "train" {
		t.Errorf("the event is about %s %q", about.Kind, about.Name)
	}
	e.apply(t, refuse, true)
	e.inOneRack(t, e.whole(t, ns, "train", 4))
	e.said(t, ns, "GangRepaired", "is whole again")
	events, err := e.eventsOf(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	if events["GangRepaired"] != 1 || events["GangShort"] > 4 {
		t.Errorf("events: %v", events)
	}
}

// A node goes dark under a gang of three in a rack of four. Room for the one that comes in the
// place of the lost pod is kept from a pod that wants it as well, and that pod does not get the
// dark node, where the lost pod is terminating and may run.
func testDarkNode(t *testing.T, e *environment) {
	ns := e.namespace(t)
	e.gangJob(t, ns, "train", 3, soonEvicted)
	on := e.whole(t, ns, "train", 3)
	rack := e.inOneRack(t, on)
	e.gangJob(t, ns, "fill", 4)
	if other := e.inOneRack(t, e.whole(t, ns, "fill", 4)); other == rack {
		t.Fatalf("both gangs are in rack %s", rack)
	}
	lost := ""
	for node := range on {
		lost = max(lost, node)
	}
	victim := on[lost]
	darken := drill.Darken(e.client, []string{lost})
	e.apply(t, darken, false)
	e.said(t, ns, "GangShort", "lost with its node): on-loss replace")
	e.create(t, ns, pod("thief", nodeGPUs))

	gone := func() bool {
		p, err := e.client.CoreV1().Pods(ns).Get(t.Context(), victim.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && p.DeletionTimestamp != nil
	}
	eventuallyWithin(t, 2*patience, "the lost pod is being deleted", func(context.Context) error {
		if !gone() {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	after := e.whole(t, ns, "train", 3)
	if got := e.inOneRack(t, after); got != rack || after[lost] != nil {
		t.Errorf("the gang is in rack %s, on node %s, which is dark: %t; it was in rack %s", got, lost, after[lost] != nil, rack)
	}
	thief, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "thief", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if node := thief.Spec.NodeName; node != "" {
		t.Errorf("a pod got node %s, which was kept for the gang or is dark", node)
	}
	e.apply(t, darken, true)
}
