package recovery

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostNamedDevices is how many devices that fell ill a text names.
const mostNamedDevices = 4

// FellIll tells of devices of one node that fell ill under pods: one event for each gang, on
// what its other events are on, and for each plain pod. The pods run on, or fail: it is for their
// owner to say. Nobody else gets the devices.
func (r *Repairer) FellIll(all []device.Illness) {
	type group struct {
		key  gang.Key
		name string
	}
	by := map[group][]device.Illness{}
	var order []group
	for _, i := range all {
		pod, err := r.Pods.Pods(i.Pod.Namespace).Get(i.Pod.Name)
		if err != nil || pod.UID != i.UID {
			continue
		}
		g := group{name: i.Pod.String()}
		if in := workload.GangGroup(pod); in != "" {
			g = group{key: gang.KeyOf(pod.Namespace, in)}
		}
		if by[g] == nil {
			order = append(order, g)
		}
		by[g] = append(by[g], i)
	}
	for _, g := range order {
		ill := by[g]
		var pods, devices []string
		for _, i := range ill {
			pods = append(pods, i.Pod.Name)
			devices = append(devices, i.Devices...)
		}
		named := strings.Join(devices[:min(len(devices), mostNamedDevices)], ", ")
		if len(devices) > mostNamedDevices {
			named += ", ..."
		}
		first := record.PodReference(ill[0].Pod.Namespace, ill[0].Pod.Name, ill[0].UID)
		who := "Pod " + ill[0].Pod.String()
		var regarding, related runtime.Object = first, nil
		if g.name == "" {
			known, ok := r.Gangs.Get(g.key)
			if !ok || len(known.Pods) == 0 {
				continue
			}
			regarding, _ = r.regarding(known.Ref, known.Pods, g.key)
			related, who = first, "Gang "+g.key.String()
		}
		klog.Background().Info("Devices fell ill under pods", "who", who, "node", ill[0].Node, "pods", pods, "devices", devices)
		r.event(regarding, related, corev1.EventTypeWarning, "DeviceUnhealthy", "Watching",
			fmt.Sprintf("%s: %d devices of pods %s on node %s are unhealthy now (%s); they keep them, and nobody else gets them", who, len(devices), strings.Join(pods, ", "), ill[0].Node, named))
	}
}
