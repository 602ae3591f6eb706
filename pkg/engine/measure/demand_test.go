package measure

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

const gpuResource = "nvidia.com/gpu"

// What is counted as pods come, go and are told something is what a count of all pods finds.
func TestDemandIsCountedAsItChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	d := NewDemand(clock.RealClock{}, enginetest.Ours, func(p *corev1.Pod) (corev1.ResourceName, int64) { return gpuResource, int64(len(p.Name)) })
	pods := map[types.UID]*corev1.Pod{}
	// told is what a pod of each gang, or a plain pod, said last, while any of its pods waits.
	told := map[Who]string{}
	for step := range 5000 {
		name := fmt.Sprint("pod-", random.IntN(30))
		pod := enginetest.Pod(name)
		if group := fmt.Sprint("berth:g", len(name)*10+int(name[4]-'0')%5); random.IntN(2) == 0 {
			pod = enginetest.Pod("member-" + name)
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		switch random.IntN(6) {
		case 0:
			d.DeletePod(pod.UID)
			delete(pods, pod.UID)
		case 1:
			pod.Spec.NodeName = "n"
		case 2:
			pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "x"}}
			fallthrough
		default:
			if random.IntN(2) == 0 {
				reason := []string{"Unschedulable", "QueueAtLimit", "somebody else's"}[random.IntN(3)]
				pod.Status.Conditions = []corev1.PodCondition{waitreason.Condition(reason, "a text")}
			}
			pods[pod.UID] = pod
			d.SetPod(pod)
		}
		if pod.Spec.NodeName != "" {
			d.SetPod(pod)
			delete(pods, pod.UID)
		}
		waiting := map[Who]bool{}
		pending, held, silent := map[reasonKey]int64{}, map[string]int{}, map[Who]bool{}
		for _, p := range pods {
			waiting[WhoOf(p)] = true
		}
		for who := range told {
			if !waiting[who] {
				delete(told, who)
			}
		}
		if who := WhoOf(pod); waiting[who] && pods[pod.UID] == pod {
			gated := len(pod.Spec.SchedulingGates) > 0
			switch {
			case gated && (told[who] != "" || who.Group != ""):
				if told[who] == "" {
					told[who] = "GangGated"
				}
			case waitreason.Said(pod):
				told[who] = waitreason.Label(waitreason.ConditionOf(pod).Reason)
			}
		}
		for _, p := range pods {
			if reason := told[WhoOf(p)]; len(p.Spec.SchedulingGates) > 0 {
				continue
			} else if reason == "" {
				pending[reasonKey{gpuResource, waitreason.NotTried}] += int64(len(p.Name))
			} else {
				pending[reasonKey{gpuResource, reason}] += int64(len(p.Name))
			}
		}
		for who := range waiting {
			switch reason := told[who]; {
			case who.Group == "":
			case reason == "":
				silent[who] = true
			default:
				held[reason]++
			}
		}
		if diff := cmp.Diff(pending, d.Pending()); diff != "" {
			t.Fatalf("devices at step %d (-want +got):\n%s", step, diff)
		}
		gotHeld, list := d.Held()
		gotSilent := map[Who]bool{}
		for _, who := range list {
			gotSilent[who] = true
		}
		if diff := cmp.Diff(held, gotHeld); diff != "" {
			t.Fatalf("gangs at step %d (-want +got):\n%s", step, diff)
		}
		if diff := cmp.Diff(silent, gotSilent, cmp.AllowUnexported(Who{})); diff != "" {
			t.Fatalf("gangs that were told nothing at step %d (-want +got):\n%s", step, diff)
		}
	}
}

// TestDemand has pods come, be bound, run and go.
func TestDemand(t *testing.T) {
	now := clocktesting.NewFakeClock(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	demand := NewDemand(now, func(string) bool { return true }, func(p *corev1.Pod) (corev1.ResourceName, int64) {
		return "nvidia.com/gpu", int64(len(p.Name))
	})
	asked := func(want int64) {
		t.Helper()
		if got := demand.Asked()["nvidia.com/gpu"]; got != want {
			t.Errorf("%d devices asked for, want %d", got, want)
		}
	}
	pod := func(name, group string, change ...func(*corev1.Pod)) *corev1.Pod {
		p := enginetest.Pod(name)
		for _, c := range change {
			c(p)
		}
		if group != "" {
			p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		return p
	}
	demand.SetPod(pod("a", "g"))
	demand.SetPod(pod("bb", "g"))
	demand.SetPod(pod("bb", "g"))
	demand.SetPod(pod("cccc", ""))
	demand.SetPod(pod("gated", "", func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "x"}} }))
	asked(7)
	RegisterIn(metrics.NewKubeRegistry())
	podStart.Reset()
	demand.Bound(pod("a", "g"))
	demand.SetPod(pod("a", "g", func(p *corev1.Pod) { p.Spec.NodeName = "n" }))
	asked(6)
	now.Step(3 * time.Second)
	running := pod("a", "g", func(p *corev1.Pod) { p.Spec.NodeName, p.Status.Phase = "n", corev1.PodRunning })
	demand.SetPod(running)
	demand.SetPod(running)
	if sum, err := testutil.GetHistogramMetricValue(podStart.WithLabelValues("1")); err != nil || sum < 3 || sum >= 4 {
		t.Errorf("the pod took %v seconds to run, want 3 (%v)", sum, err)
	}
	if n, err := testutil.GetHistogramMetricCount(podStart.WithLabelValues("1")); err != nil || n != 1 {
		t.Errorf("the pod was seen to run %d times, want once (%v)", n, err)
	}
	for _, name := range []string{"bb", "cccc", "a", "gated", "never"} {
		demand.DeletePod(pod(name, "").UID)
	}
	asked(0)
	if len(demand.waiting)+len(demand.bound)+len(demand.by) > 0 {
		t.Error("pods that are gone are kept")
	}
}
