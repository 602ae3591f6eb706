package state

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
)

const devicesAnnotation = dialect.DevicesAnnotation

// readDevices returns all UUIDs in an annotation, each once; none if it cannot be read.
func readDevices(text string) []string {
	if text == "" {
		return nil
	}
	var containers map[string][]string
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		return nil
	}
	var all []string
	for _, uuids := range containers {
		all = append(all, uuids...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pickers are the words for who picks.
var pickers = map[topology.Picker]string{topology.DevicePlugin: "device-plugin", topology.Scheduler: "scheduler"}

// placement is the annotation that says how good the devices of a pod are.
type placement struct {
	Devices devicePlacement `json:"devices"`
}

// devicePlacement has bandwidths in GB/s, each way.
type devicePlacement struct {
	Quality float64 `json:"quality"`
	Ideal   float64 `json:"ideal"`
	// Picker is who picks: device-plugin says that the devices are a prediction.
	Picker string `json:"picker"`
}

// Annotations returns what is written on the pod with its binding.
func (t *Taken) Annotations() (map[string]string, error) {
	devices, err := json.Marshal(t.Devices) // ordered by name
	if err != nil {
		return nil, fmt.Errorf("writing annotation %s: %w", dialect.DevicesAnnotation, err)
	}
	place, err := json.Marshal(placement{devicePlacement{Quality: float64(t.Quality) / 1000, Ideal: float64(t.Ideal) / 1000, Picker: pickers[t.Picker]}})
	if err != nil {
		return nil, fmt.Errorf("writing annotation %s: %w", dialect.PlacementAnnotation, err)
	}
	return map[string]string{dialect.DevicesAnnotation: string(devices), dialect.PlacementAnnotation: string(place)}, nil
}

// asksForParts reports whether a pod asks for an extended resource that is no kind of
// device: it may hold a part of one, as the node will report.
func asksForParts(pod *corev1.Pod) bool {
	has := func(containers []corev1.Container) bool {
		for i := range containers {
			for name := range containers[i].Resources.Requests {
				if domain, _, ok := strings.Cut(string(name), "/"); ok && !strings.HasSuffix(domain, "kubernetes.io") {
					return true
				}
			}
		}
		return false
	}
	return has(pod.Spec.InitContainers) || has(pod.Spec.Containers)
}
