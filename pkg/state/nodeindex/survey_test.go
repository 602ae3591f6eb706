package nodeindex

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// BenchmarkSurvey makes a snapshot and a planner of 2,500 nodes with six pods each, as is done
// when somebody asks why a gang waits.
func BenchmarkSurvey(b *testing.B) {
	var o Objects
	amounts := corev1.ResourceList{"cpu": resource.MustParse("96"), "memory": resource.MustParse("1Ti"), "pods": resource.MustParse("110"), statetest.Gpu: resource.MustParse("8")}
	for i := range 2500 {
		name := fmt.Sprintf("n%04d", i)
		o.Nodes = append(o.Nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"topology.kubernetes.io/rack": fmt.Sprint("r", i/32), "topology.kubernetes.io/block": fmt.Sprint("b", i/256)}},
			Status:     corev1.NodeStatus{Allocatable: amounts},
		})
		for j := range 6 {
			pod := statetest.GPUPod(fmt.Sprintf("%s-%d", name, j), 1)
			pod.UID, pod.Spec.NodeName = types.UID(pod.Name), name
			o.Pods = append(o.Pods, pod)
		}
	}
	requests := func(p *corev1.Pod) corev1.ResourceList { return p.Spec.Containers[0].Resources.Requests }
	settings := Settings{Devices: device.DefaultNames(), Sizes: topology.DefaultSizes()}
	for b.Loop() {
		s, _, err := Survey(o, settings, requests)
		if err != nil || len(s.Nodes) != 2500 {
			b.Fatal(err)
		}
		if _, err := s.Planner(); err != nil {
			b.Fatal(err)
		}
	}
}
