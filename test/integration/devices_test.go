package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const devicesAnnotation = "berth.dev/devices"

// deviceEnvironment is a control plane with nodes of which it is known how their devices
// are linked: every second one is a DGX-1V, the others have a switch.
func deviceEnvironment(t *testing.T, nodes int) *environment {
	t.Helper()
	e, err := newEnvironment(localcluster.Options{AuditLog: true}, nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	eventually(t, "the API server knows NodeTopologies", func(ctx context.Context) error {
		_, err := e.dynamic.Resource(nodeTopologies).List(ctx, metav1.ListOptions{})
		return err
	})
	list, err := e.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range list.Items {
		group.Go(func() error {
			return e.reportMachine(ctx, list.Items[i].Name, []string{"dgx1-v100", "hgx-h100"}[i%2])
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return e
}

// reportMachine writes what an agent would report of a machine.
func (e *environment) reportMachine(ctx context.Context, node, matrix string) error {
	machine, err := (&board.Board{File: "../../pkg/core/topology/testdata/" + matrix + ".txt", Node: node}).Read()
	if err != nil {
		return err
	}
	object, _ := report.Next(report.Node{Name: node, Resource: string(localcluster.GPUResource)}, nil, report.Findings{Now: time.Now(), Machine: machine})
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	_, err = e.dynamic.Resource(nodeTopologies).Create(ctx, &unstructured.Unstructured{Object: content}, metav1.CreateOptions{})
	return err
}

// deviceWatcher follows who holds which device, by what the API server says of pods, in
// the order in which it came to be.
type deviceWatcher struct {
	pods <-chan watch.Event
	// owner is the pod of each device, devices those of each pod; ended are the pods that
	// have finished, used says how many pods each device had.
	owner   map[string]string
	devices map[string][]string
	ended   map[string]bool
	used    map[string]int
}

func (e *environment) watchDevices(t *testing.T, namespace string) *deviceWatcher {
	t.Helper()
	list, err := e.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// A watch keeps the order of changes, which an informer does not, of two objects.
	pods, err := watchtools.NewRetryWatcherWithContext(t.Context(), list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return e.client.CoreV1().Pods(namespace).Watch(ctx, options)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The server ends a watch that is not read.
	events := make(chan watch.Event, 100_000)
	go func() {
		defer close(events)
		for event := range pods.ResultChan() {
			events <- event
		}
	}()
	return &deviceWatcher{pods: events, owner: map[string]string{}, devices: map[string][]string{}, ended: map[string]bool{}, used: map[string]int{}}
}

// until takes in changes until a condition holds, and fails the test if a device has two
// pods, or a pod not the devices that it asked for.
func (w *deviceWatcher) until(t *testing.T, done func() bool) {
	t.Helper()
	late := time.After(5 * time.Minute)
	for !done() {
		var event watch.Event
		var open bool
		select {
		case event, open = <-w.pods:
		case <-late:
			t.Fatalf("%d pods hold devices and %d have ended", len(w.devices), len(w.ended))
		}
		pod, ok := event.Object.(*corev1.Pod)
		if !open || !ok {
			t.Fatalf("the watch ended: %+v", event)
		}
		w.take(t, pod, event.Type == watch.Deleted)
	}
}

func (w *deviceWatcher) take(t *testing.T, pod *corev1.Pod, gone bool) {
	t.Helper()
	switch {
	case gone || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		for _, uuid := range w.devices[pod.Name] {
			delete(w.owner, uuid)
		}
		delete(w.devices, pod.Name)
		w.ended[pod.Name] = true
	case pod.Spec.NodeName != "" && w.devices[pod.Name] == nil:
		var containers map[string][]string
		if err := json.Unmarshal([]byte(pod.Annotations[devicesAnnotation]), &containers); err != nil {
			t.Fatalf("pod %q has annotation %s %q: %v", pod.Name, devicesAnnotation, pod.Annotations[devicesAnnotation], err)
		}
		asked := pod.Spec.Containers[0].Resources.Limits[localcluster.GPUResource]
		if len(containers["main"]) != int(asked.Value()) {
			t.Fatalf("pod %q asks for %d devices and has %v", pod.Name, asked.Value(), containers)
		}
		for _, uuid := range containers["main"] {
			if !ofNode(uuid, pod.Spec.NodeName) {
				t.Fatalf("pod %q on node %q has device %q of another", pod.Name, pod.Spec.NodeName, uuid)
			}
			if w.owner[uuid] != "" {
				t.Fatalf("device %q is held by pod %q and by pod %q", uuid, w.owner[uuid], pod.Name)
			}
			w.owner[uuid] = pod.Name
			w.used[uuid]++
		}
		w.devices[pod.Name] = containers["main"]
	}
}

// ofNode reports whether a device is one of a node's.
func ofNode(uuid, node string) bool {
	for number := range nodeGPUs {
		if board.UUID(node, number) == uuid {
			return true
		}
	}
	return false
}

// dumpDevices returns who holds what, as a scheduler knows it.
func (e *environment) dumpDevices(t *testing.T, port int) string {
	t.Helper()
	var dump string
	eventually(t, "the scheduler tells who holds which devices", func(ctx context.Context) error {
		code, body, err := get(ctx, e.AdminConfig(), port, "/debug/berth/devices")
		if err == nil && (code != 200 || !strings.Contains(body, `"held"`)) {
			err = fmt.Errorf("status %d: %.200s", code, body)
		}
		dump = body
		return err
	})
	return dump
}

// TestNoDeviceHasTwoPods runs pods that come and go on 500 nodes, looks at the API alone
// for a device with two pods, and restarts the scheduler in the middle and at the end.
func TestNoDeviceHasTwoPods(t *testing.T) {
	t.Parallel()
	const (
		nodes    = 500
		short    = 2500
		stay     = 900
		perBatch = 100
	)
	e := deviceEnvironment(t, nodes)
	ns := e.namespace(t)
	w := e.watchDevices(t, ns)
	port := freePort(t)
	scheduler := e.schedulerOn(t, port)
	random := rand.New(rand.NewPCG(5, 5))
	before := e.writes(t, nil)

	made := 0
	batch := func(prefix string, n int, edits ...func(*corev1.Pod)) {
		pods := make([]*corev1.Pod, n)
		for i := range pods {
			pods[i] = pod(fmt.Sprintf("%s-%d", prefix, made), int64(1+random.IntN(4)), edits...)
			made++
		}
		e.create(t, ns, pods...)
	}
	// Pods that stay take half of the devices; those that end go through the rest again
	// and again.
	for made < stay {
		batch("stay", perBatch)
	}
	w.until(t, func() bool { return len(w.devices) == stay })
	for i := 0; made < stay+short; i++ {
		if i == 12 {
			scheduler.Kill()
			port = freePort(t)
			scheduler = e.schedulerOn(t, port)
		}
		batch("short", perBatch, annotations("berth.dev/simulate-run-for", fmt.Sprintf("%dms", 500+random.IntN(2500))))
		// A few batches at a time.
		w.until(t, func() bool { return made-stay-len(w.ended) < 4*perBatch })
	}
	w.until(t, func() bool { return len(w.ended) == short && len(w.devices) == stay })
	again := 0
	for _, n := range w.used {
		if n > 1 {
			again++
		}
	}
	if again < 500 {
		t.Errorf("only %d devices were given out more than once: the test is too easy", again)
	}
	writes := e.writes(t, before)
	t.Logf("%d devices were given out, %d of them more than once; writes: %v", len(w.used), again, writes)
	if n := writes["create pods/binding"]; n != stay+short {
		t.Errorf("%d bindings for %d pods", n, stay+short)
	}
	if n := writes["patch pods"] + writes["update pods"]; n != 0 {
		t.Errorf("pods were written %d times besides", n)
	}

	// Nobody changes what a pod was given.
	for name := range w.devices {
		_, err := e.client.CoreV1().Pods(ns).Patch(t.Context(), name, types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"berth.dev/devices":"{\"main\":[]}"}}}`), metav1.PatchOptions{})
		if err == nil || !strings.Contains(err.Error(), "nobody else sets or changes them") {
			t.Errorf("changing the devices of pod %q: %v", name, err)
		}
		break
	}

	// What is known is the same after a restart, byte for byte.
	e.checkDrift(t, port, true)
	known := e.dumpDevices(t, port)
	scheduler.Kill()
	port = freePort(t)
	e.schedulerOn(t, port)
	e.checkDrift(t, port, true)
	if after := e.dumpDevices(t, port); after != known {
		t.Errorf("before the restart: %.2000s\nafter: %.2000s", known, after)
	}
	if n := strings.Count(known, `"node"`); n != nodes {
		t.Errorf("%d of %d nodes are known", n, nodes)
	}
}
