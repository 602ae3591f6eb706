package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// What is counted as pods come, go and are told something is what a count of all pods finds.
func TestDemandIsCountedAsItChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	d := newDemand(clock.RealClock{}, isOurs, func(p *corev1.Pod) (corev1.ResourceName, int64) { return gpuName, int64(len(p.Name)) })
	pods := map[types.UID]*corev1.Pod{}
	// told is what a pod of each gang, or a plain pod, said last, while any of its pods waits.
	told := map[waits]string{}
	for step := range 5000 {
		name := fmt.Sprint("pod-", random.IntN(30))
		pod := testPod(name)
		if group := fmt.Sprint("berth:g", len(name)*10+int(name[4]-'0')%5); random.IntN(2) == 0 {
			pod = testPod("member-" + name)
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
				pod.Status.Conditions = []corev1.PodCondition{waitsFor(reason, "a text")}
			}
			pods[pod.UID] = pod
			d.SetPod(pod)
		}
		if pod.Spec.NodeName != "" {
			d.SetPod(pod)
			delete(pods, pod.UID)
		}
		waiting := map[waits]bool{}
		pending, held, silent := map[reasonKey]int64{}, map[string]int{}, map[waits]bool{}
		for _, p := range pods {
			waiting[whoOf(p)] = true
		}
		for who := range told {
			if !waiting[who] {
				delete(told, who)
			}
		}
		if who := whoOf(pod); waiting[who] && pods[pod.UID] == pod {
			gated := len(pod.Spec.SchedulingGates) > 0
			switch {
			case gated && (told[who] != "" || who.group != ""):
				if told[who] == "" {
					told[who] = "GangGated"
				}
			case said(pod):
				told[who] = reasonLabel(scheduledCondition(pod).Reason)
			}
		}
		for _, p := range pods {
			if reason := told[whoOf(p)]; len(p.Spec.SchedulingGates) > 0 {
				continue
			} else if reason == "" {
				pending[reasonKey{gpuName, reasonNotTried}] += int64(len(p.Name))
			} else {
				pending[reasonKey{gpuName, reason}] += int64(len(p.Name))
			}
		}
		for who := range waiting {
			switch reason := told[who]; {
			case who.group == "":
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
		gotSilent := map[waits]bool{}
		for _, who := range list {
			gotSilent[who] = true
		}
		if diff := cmp.Diff(held, gotHeld); diff != "" {
			t.Fatalf("gangs at step %d (-want +got):\n%s", step, diff)
		}
		if diff := cmp.Diff(silent, gotSilent, cmp.AllowUnexported(waits{})); diff != "" {
			t.Fatalf("gangs that were told nothing at step %d (-want +got):\n%s", step, diff)
		}
	}
}
