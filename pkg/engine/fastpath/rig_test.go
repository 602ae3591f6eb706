package fastpath

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
)

const (
	gib      = 1 << 30
	testName = "berth"
)

// rig is a scheduler with the fast path, without an API server and without its loop:
// the test changes the cache and asks for nodes.
type rig struct {
	t     testing.TB
	sched *scheduler.Scheduler
	path  *Path
	fw    framework.Framework
	// informers do not run.
	informers informers.SharedInformerFactory
	// nodes and pods are what they would have.
	nodes, pods cache.Indexer
	topologies  []*v1alpha1.NodeTopology
}

// testProfile is a profile with NodePacking and its arguments, "" for none.
func testProfile(t testing.TB, args string) schedulerconfig.KubeSchedulerProfile {
	t.Helper()
	cfg, err := latest.Default()
	if err != nil {
		t.Fatal(err)
	}
	profile := cfg.Profiles[0]
	profile.SchedulerName = testName
	plugins := profile.Plugins
	plugins.MultiPoint.Enabled = append(plugins.MultiPoint.Enabled, schedulerconfig.Plugin{Name: nodepacking.Name, Weight: 10})
	for _, name := range []string{names.NodeResourcesFit, names.NodeResourcesBalancedAllocation, names.ImageLocality} {
		plugins.Score.Disabled = append(plugins.Score.Disabled, schedulerconfig.Plugin{Name: name})
	}
	all := int32(100)
	profile.PercentageOfNodesToScore = &all
	for i := range profile.PluginConfig {
		if spread, ok := profile.PluginConfig[i].Args.(*schedulerconfig.PodTopologySpreadArgs); ok {
			spread.DefaultingType, spread.DefaultConstraints = schedulerconfig.ListDefaulting, nil
		}
	}
	if args != "" {
		profile.PluginConfig = append(profile.PluginConfig, schedulerconfig.PluginConfig{
			Name: nodepacking.Name, Args: &runtime.Unknown{Raw: []byte(args), ContentType: runtime.ContentTypeJSON},
		})
	}
	return profile
}

func newRig(t testing.TB, args string) *rig {
	t.Helper()
	r, err := tryRig(t, testProfile(t, args))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRig(t testing.TB, profiles ...schedulerconfig.KubeSchedulerProfile) (*rig, error) {
	t.Helper()
	return rigWith(t, nil, profiles...)
}

// rigWith makes a rig with further plugins.
func rigWith(t testing.TB, plugins frameworkruntime.Registry, profiles ...schedulerconfig.KubeSchedulerProfile) (*rig, error) {
	t.Helper()
	client := fake.NewClientset()
	// The conditions that the scheduler writes go nowhere.
	client.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &schedulingv1beta1.PodGroup{}, nil
	})
	path := New()
	registry := path.Plugins()
	maps.Copy(registry, plugins)
	recorder := func(string) events.EventRecorderLogger { return events.NewFakeRecorder(1000) }
	factory := informers.NewSharedInformerFactory(client, 0)
	sched, err := scheduler.New(quiet(t.Context()), client, factory, nil, recorder,
		scheduler.WithProfiles(profiles...), scheduler.WithFrameworkOutOfTreeRegistry(registry))
	if err != nil {
		return nil, err
	}
	if err := path.Attach(sched); err != nil {
		return nil, err
	}
	indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	return &rig{
		t: t, sched: sched, path: path, informers: factory, fw: sched.Profiles[profiles[0].SchedulerName],
		nodes: cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers), pods: cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers),
	}, nil
}

func (r *rig) addNode(node *corev1.Node) {
	r.t.Helper()
	old, exists, _ := r.nodes.Get(node)
	if exists {
		r.sched.Cache.UpdateNode(klog.Background(), old.(*corev1.Node), node)
	} else {
		r.sched.Cache.AddNode(klog.Background(), node)
	}
	r.must(r.nodes.Update(node))
}

func (r *rig) removeNode(node *corev1.Node) {
	r.t.Helper()
	r.must(r.sched.Cache.RemoveNode(klog.Background(), node))
	r.must(r.nodes.Delete(node))
}

// assume puts a pod on a node, as a cycle does, and confirm as the informers do.
func (r *rig) assume(pod *corev1.Pod, node string) *corev1.Pod {
	r.t.Helper()
	pod = pod.DeepCopy()
	pod.Spec.NodeName = node
	r.must(r.sched.Cache.AssumePod(klog.Background(), pod))
	return pod
}

func (r *rig) confirm(pod *corev1.Pod) {
	r.t.Helper()
	r.must(r.sched.Cache.AddPod(klog.Background(), pod))
	r.must(r.pods.Update(pod))
}

func (r *rig) bind(pod *corev1.Pod, node string) *corev1.Pod {
	r.t.Helper()
	pod = r.assume(pod, node)
	r.confirm(pod)
	return pod
}

func (r *rig) remove(pod *corev1.Pod) {
	r.t.Helper()
	r.must(r.sched.Cache.RemovePod(klog.Background(), pod))
	r.must(r.pods.Delete(pod))
}

// begin begins a cycle.
func (r *rig) begin() {
	r.t.Helper()
	r.must(r.sched.Cache.UpdateSnapshot(klog.Background(), r.path.snapshot))
}

// try asks for a node in the present cycle, and returns how it was found.
func (r *rig) try(pod *corev1.Pod) (node string, fit *framework.FitError, reason podshape.Reason) {
	r.t.Helper()
	return r.tryIn(framework.NewCycleState(), pod)
}

func (r *rig) tryIn(cycle *framework.CycleState, pod *corev1.Pod) (node string, fit *framework.FitError, reason podshape.Reason) {
	r.t.Helper()
	result, reason, err := r.path.try(r.t.Context(), r.fw, cycle, r.queued(pod))
	if err != nil && !errors.As(err, &fit) {
		r.t.Fatal(err)
	}
	return result.SuggestedHost, fit, reason
}

// place asks for a node in a new cycle and fails the test if the fast path has no
// answer.
func (r *rig) place(pod *corev1.Pod) (node string, fit *framework.FitError) {
	r.t.Helper()
	r.begin()
	node, fit, reason := r.try(pod)
	if reason != "" {
		r.t.Fatalf("pod %q took the framework's own way: %s", pod.Name, reason)
	}
	return node, fit
}

// slow asks the framework's own way.
func (r *rig) slow(pod *corev1.Pod) (string, *framework.FitError) {
	r.t.Helper()
	result, err := r.path.original(r.t.Context(), r.fw, framework.NewCycleState(), r.queued(pod))
	var fit *framework.FitError
	if err != nil && !errors.As(err, &fit) {
		r.t.Fatal(err)
	}
	return result.SuggestedHost, fit
}

func (r *rig) queued(pod *corev1.Pod) *framework.QueuedPodInfo {
	r.t.Helper()
	info, err := framework.NewPodInfo(pod)
	r.must(err)
	return &framework.QueuedPodInfo{PodInfo: info}
}

// checkDrift begins a cycle and fails the test if the index is not what the objects
// say, or if too few nodes could be compared to know.
func (r *rig) checkDrift() {
	r.t.Helper()
	r.begin()
	drift, err := r.path.Drift(corelisters.NewNodeLister(r.nodes), corelisters.NewPodLister(r.pods), func() []*v1alpha1.NodeTopology { return r.topologies })
	r.must(err)
	if len(drift.Differences) > 0 || drift.InFlight > 0 || drift.Compared != len(r.nodes.List()) {
		r.t.Fatalf("drift: %+v", drift)
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func amounts(gpus, cores, memoryGiB int64) corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(cores, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memoryGiB*gib, resource.BinarySI),
	}
	if gpus > 0 {
		list["nvidia.com/gpu"] = *resource.NewQuantity(gpus, resource.DecimalSI)
	}
	return list
}

func testNode(name string, gpus, cores, memoryGiB int64, change ...func(*corev1.Node)) *corev1.Node {
	list := amounts(gpus, cores, memoryGiB)
	list[corev1.ResourcePods] = *resource.NewQuantity(110, resource.DecimalSI)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{corev1.LabelHostname: name}},
		Status:     corev1.NodeStatus{Capacity: list, Allocatable: list},
	}
	for _, c := range change {
		c(node)
	}
	return node
}

func testPod(name string, gpus, cores, memoryGiB int64, change ...func(*corev1.Pod)) *corev1.Pod {
	list := amounts(gpus, cores, memoryGiB)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)},
		Spec: corev1.PodSpec{SchedulerName: testName, Containers: []corev1.Container{{
			Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Requests: list, Limits: list},
		}}},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func nodeName(i int) string { return fmt.Sprintf("node-%03d", i) }
