package fastpath

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/state/device"
)

// deviceRig is a scheduler with DeviceTopology and nodes of several machines.
func deviceRig(t testing.TB, args string, matrices ...string) *rig {
	t.Helper()
	profile := testProfile(t, args)
	profile.Plugins.MultiPoint.Enabled = append(profile.Plugins.MultiPoint.Enabled, schedulerconfig.Plugin{Name: devicetopology.Name})
	r, err := tryRig(t, profile)
	if err != nil {
		t.Fatal(err)
	}
	for i, matrix := range matrices {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
		if matrix == "" {
			continue
		}
		machine, err := (&board.Board{File: "../../core/topology/testdata/" + matrix + ".txt", Node: nodeName(i)}).Read()
		r.must(err)
		object, _ := report.Next(report.Node{Name: nodeName(i), Resource: "nvidia.com/gpu"}, nil, report.Findings{Now: time.Unix(1, 0), Machine: machine})
		r.setTopology(object)
	}
	return r
}

func (r *rig) setTopology(object *v1alpha1.NodeTopology) {
	r.topologies = slices.DeleteFunc(r.topologies, func(o *v1alpha1.NodeTopology) bool { return o.Name == object.Name })
	r.topologies = append(r.topologies, object)
	r.path.SetTopology(object, nil)
}

// give puts a pod on a node as a cycle does, with devices, and as the informers do.
func (r *rig) give(pod *corev1.Pod, node string) *corev1.Pod {
	r.t.Helper()
	pod = r.assume(pod, node)
	link, err := dialect.GPULink(pod)
	r.must(err)
	_, err = r.path.inventory.Take(pod, node, link, false)
	r.must(err)
	if taken := r.path.inventory.TakenBy(pod.UID); taken != nil {
		annotations, err := device.Annotations(taken, nil)
		r.must(err)
		pod = pod.DeepCopy()
		for key, value := range annotations {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, key, value)
		}
	}
	r.confirm(pod)
	return pod
}

func linked(link string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { metav1.SetMetaDataAnnotation(&pod.ObjectMeta, dialect.GPULinkAnnotation, link) }
}

// The node with the best devices is taken, though a tighter one has as many.
func TestPlacesWhereDevicesAreLinkedBest(t *testing.T) {
	r := deviceRig(t, "", "dgx1-v100", "dgx1-v100", "hgx-h100")
	// Of node 0, the devices 0, 1, 2 and 4, 5 are left: no ring of four.
	held := testPod("held", 3, 1, 1, func(pod *corev1.Pod) {
		uuids := []string{board.UUID(nodeName(0), 3), board.UUID(nodeName(0), 6), board.UUID(nodeName(0), 7)}
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, dialect.DevicesAnnotation, `{"c":["`+strings.Join(uuids, `","`)+`"]}`)
	})
	r.bind(held, nodeName(0))
	for i, want := range []string{nodeName(1), nodeName(1), nodeName(2), nodeName(2)} {
		pod := testPod(fmt.Sprint("four-", i), 4, 1, 1)
		node, fit := r.place(pod)
		if node != want {
			t.Fatalf("pod %d of 4 goes to %q (%v), want %q", i, node, fit, want)
		}
		r.give(pod, node)
	}
	r.checkDrift()
	// Now there is nothing better.
	if node, fit := r.place(testPod("last", 4, 1, 1)); node != nodeName(0) {
		t.Errorf("the last pod goes to %q (%v)", node, fit)
	}
	_, fit := r.place(testPod("linked", 4, 1, 1, linked("nvlink")))
	if fit == nil || !strings.Contains(fit.Error(), "linked as berth.dev/gpu-link asks") {
		t.Errorf("a pod with links that are nowhere: %v", fit)
	}
	if node, fit := r.place(testPod("pair", 2, 1, 1, linked("nvlink"))); node != nodeName(0) {
		t.Errorf("a pair with links goes to %q (%v)", node, fit)
	}
}

// A report changes what is free, and where the next pod goes.
func TestReportsReachTheIndex(t *testing.T) {
	r := deviceRig(t, "", "hgx-h100", "hgx-h100")
	first := r.give(testPod("first", 4, 1, 1), nodeName(0))
	ill := r.topologies[0].DeepCopy()
	ill.Status.Unhealthy = []v1alpha1.UnhealthyDevice{{UUID: board.UUID(nodeName(0), 7), Reason: v1alpha1.ReasonXid}}
	r.setTopology(ill)
	if node, fit := r.place(testPod("second", 4, 1, 1)); node != nodeName(1) {
		t.Errorf("with a device ill, a pod goes to %q (%v)", node, fit)
	}
	r.checkDrift()
	ill.Status.Unhealthy = nil
	r.setTopology(ill.DeepCopy())
	if node, fit := r.place(testPod("third", 4, 1, 1)); node != nodeName(0) {
		t.Errorf("with all devices well, a pod goes to %q (%v)", node, fit)
	}
	r.remove(first)
	r.checkDrift()
	r.path.DeleteTopology(nodeName(0), nil)
	r.topologies = r.topologies[:1]
	if _, fit := r.place(testPod("fourth", 8, 1, 1, linked("nvlink"))); fit != nil {
		t.Errorf("a node is left with a NodeTopology: %v", fit)
	}
	r.checkDrift()
}

// Over random histories, the index and the framework's own way agree on the node, and
// all that is known agrees with the objects.
func TestDevicesFastAndSlowAgree(t *testing.T) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 11))
		var matrices []string
		for range 12 {
			matrices = append(matrices, []string{"dgx1-v100", "hgx-h100", "a100-pcie-bridged", "pcie-8x4090", ""}[random.IntN(5)])
		}
		args := []string{"", `{"policy":"Spread"}`}[seed%2]
		r := deviceRig(t, args, matrices...)
		r.path.inventory.Pick(topology.Picker(seed/2%2), topology.DefaultSizes())
		for _, object := range r.topologies {
			r.path.DeleteTopology(object.Name, nil) // by the other picker
			r.path.SetTopology(object, nil)
		}
		var bound []*corev1.Pod
		placed := 0
		for step := range 150 {
			if len(bound) > 0 && random.IntN(3) == 0 {
				i := random.IntN(len(bound))
				r.remove(bound[i])
				bound = slices.Delete(bound, i, i+1)
				continue
			}
			pod := testPod(fmt.Sprint("p", step), int64(random.IntN(6)), 1, 1)
			if link := []string{"", "", "nvlink", "pcie", "numa", "any"}[random.IntN(6)]; link != "" {
				linked(link)(pod)
			}
			fast, fit := r.place(pod)
			slow, slowFit := r.slow(pod)
			if fast != slow || (fit == nil) != (slowFit == nil) {
				t.Fatalf("seed %d, step %d: fast %q (%v), slow %q (%v)", seed, step, fast, fit, slow, slowFit)
			}
			if fit != nil {
				if got, want := fit.Error(), slowFit.Error(); got != want {
					t.Fatalf("seed %d, step %d: the reason is\n%s, and by the framework's own way\n%s", seed, step, got, want)
				}
				continue
			}
			placed++
			bound = append(bound, r.give(pod, fast))
			if step%10 == 0 {
				r.checkDrift()
			}
		}
		if placed < 40 {
			t.Errorf("seed %d: only %d pods were placed", seed, placed)
		}
	}
}

// A gang that preempts is tried on a snapshot without its victims, which hold their
// devices all the while.
func TestGangsPreemptForDevices(t *testing.T) {
	r := deviceRig(t, "", "hgx-h100")
	victim := r.give(testPod("victim", 8, 1, 1), nodeName(0))
	r.begin()
	r.path.snapshot.StartMutations()
	r.must(r.path.snapshot.RemovePod(klog.Background(), victim, nodeName(0)))
	cycle := framework.NewCycleState()
	cycle.SetPodGroupSchedulingCycle(framework.NewCycleState())
	pod := testPod("gang-0", 8, 1, 1, func(p *corev1.Pod) {
		priority := int32(10)
		p.Spec.Priority = &priority
	})
	result, err := r.path.schedulePod(t.Context(), r.fw, cycle, r.queued(pod))
	r.must(err)
	pod.Spec.NodeName = result.SuggestedHost
	if status := r.fw.RunReservePluginsReserve(t.Context(), cycle, pod, result.SuggestedHost); !status.IsSuccess() {
		t.Errorf("Filter takes node %q, and Reserve says: %v", result.SuggestedHost, status)
	}
}

// The watch missed that a pod was replaced by another of its name.
func TestReplacedPodHoldsNothing(t *testing.T) {
	r := deviceRig(t, "", "hgx-h100")
	old := r.give(testPod("web-0", 4, 1, 1), nodeName(0))
	again := old.DeepCopy()
	again.UID = "again"
	r.must(r.sched.Cache.UpdatePod(klog.Background(), old, again))
	r.must(r.sched.Cache.RemovePod(klog.Background(), again))
	if dump := r.path.inventory.Dump(); len(dump[0].Free) != 8 {
		t.Errorf("of an empty node are free: %+v", dump)
	}
}

// deviceQueue is a queue in which pods wait for devices.
func deviceQueue(t *testing.T, matrices ...string) *queueRig {
	q := &queueRig{rig: deviceRig(t, "", matrices...)}
	q.sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		var fit *framework.FitError
		if errors.As(status.AsError(), &fit) {
			info.UnschedulablePlugins = fit.Diagnosis.UnschedulablePlugins
		}
		q.must(q.sched.SchedulingQueue.AddUnschedulablePodIfNotPresent(klog.Background(), info, q.sched.SchedulingQueue.SchedulingCycle()))
	}
	return q
}

// A report that devices are free which are as good as those that were thought to be wakes
// nobody; one that a device got well does.
func TestReportsWakeThoseWhomTheyHelp(t *testing.T) {
	q := deviceQueue(t, "hgx-h100")
	for i := range 4 {
		q.give(testPod(fmt.Sprint("p", i), 1, 1, 1), nodeName(0))
	}
	ill := q.topologies[0].DeepCopy()
	ill.Status.Unhealthy = []v1alpha1.UnhealthyDevice{{UUID: board.UUID(nodeName(0), 6), Reason: v1alpha1.ReasonXid}}
	q.setTopology(ill)
	q.begin()
	q.pend(testPod("four", 4, 1, 1))
	object, _, _ := q.nodes.GetByKey(nodeName(0))
	node := object.(*corev1.Node)

	report := ill.DeepCopy()
	report.Status.Allocations = []v1alpha1.Allocation{{Namespace: "ns", Pod: "p0", Container: "c", Devices: []string{board.UUID(nodeName(0), 7)}}}
	q.path.SetTopology(report, node)
	q.expect("after a report of another device", "four")
	well := report.DeepCopy()
	well.Status.Unhealthy = nil
	q.path.SetTopology(well, node)
	q.expect("after a device got well")
}

// Who corrects what a pod asks for has it tried again.
func TestCorrectedLinkIsTriedAgain(t *testing.T) {
	q := deviceQueue(t, "hgx-h100")
	q.begin()
	bad := testPod("bad", 2, 1, 1, linked("nvlnk"))
	q.pend(bad)
	told := bad.DeepCopy()
	told.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse}}
	q.sched.SchedulingQueue.Update(t.Context(), bad, told)
	q.expect("after it was told that it waits", "bad")
	corrected := told.DeepCopy()
	corrected.Annotations[dialect.GPULinkAnnotation] = "nvlink"
	q.sched.SchedulingQueue.Update(t.Context(), told, corrected)
	q.expect("after the annotation was corrected")
}
