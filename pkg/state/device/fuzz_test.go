package device

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// FuzzNodeTopology has any NodeTopology be that of a node with 8 devices: what a pod takes of
// them is given back, and no device is given twice.
func FuzzNodeTopology(f *testing.F) {
	if body, err := json.Marshal(nodeTopology(f, "n", "dgx1-v100")); err == nil {
		f.Add(body, int64(2))
	}
	f.Add([]byte(`{"metadata":{"name":"n"},"spec":{"resource":"nvidia.com/gpu","devices":[{"uuid":"a"},{"uuid":"a"},{"uuid":""}],"links":[{"a":0,"b":0,"nvlinks":255},{"a":-1,"b":70000}],"rates":{"nvlink":-1}},"status":{"unhealthy":[{"uuid":"x"}],"allocations":[{"devices":["a","a"]}]}}`), int64(1))
	f.Fuzz(func(t *testing.T, body []byte, ask int64) {
		object := &v1alpha1.NodeTopology{}
		if json.Unmarshal(body, object) != nil {
			t.Skip()
		}
		v := NewInventory()
		v.Pick(topology.Picker(0), topology.DefaultSizes())
		v.SetNode(deviceNode(object.Name, 8))
		v.SetTopology(object)
		m := ReadMachine(object)
		if m.Healthy&^m.Whole != 0 || m.Whole.Len() > len(m.UUIDs) || len(m.UUIDs) > topology.MaxDevices {
			t.Errorf("machine %+v", m)
		}
		pod := devicePod("p", object.Name, asking("c", string(m.Resource), ask))
		v.SetPod(pod)
		v.DeletePod(pod.UID)
		v.DeleteTopology(object.Name)
		v.SetTopology(object)
	})
}

// FuzzDevicesOfPod has any pod get a node with devices and go: nothing of it is left.
func FuzzDevicesOfPod(f *testing.F) {
	for _, gpus := range []int64{1, -1, 1 << 62} {
		if body, err := json.Marshal(devicePod("p", "", asking("c", "nvidia.com/gpu", gpus))); err == nil {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		pod := &corev1.Pod{}
		if json.Unmarshal(body, pod) != nil || len(pod.Spec.Containers) == 0 {
			t.Skip()
		}
		pod.Spec.NodeName, pod.UID = "node", "uid"
		v := NewInventory()
		v.SetPod(pod)
		v.DeletePod(pod.UID)
		if len(v.at)+len(v.nodes) > 0 {
			t.Errorf("%d pods and %d nodes are left", len(v.at), len(v.nodes))
		}
	})
}
