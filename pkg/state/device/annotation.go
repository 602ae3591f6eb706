package device

import (
	"encoding/json"
	"fmt"
	"slices"

	fwk "k8s.io/kube-scheduler/framework"

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

// Place is where a plan has put a pod of a gang. It is kept in the state of the pod's
// scheduling cycle, from the plan to the binding.
type Place struct {
	// Level is the node label key of the level that the gang was planned in, "" for the
	// whole cluster, and Domain the path of its domain there.
	Level, Domain string
	// Rank is the pod's.
	Rank int
}

// PlaceKey is the key of a Place in the state of a cycle.
const PlaceKey fwk.StateKey = "berth.dev/place"

// Clone returns the same: it is not changed.
func (p *Place) Clone() fwk.StateData { return p }

// placement is the annotation that says where a pod is, and how good its devices are.
type placement struct {
	Level   string           `json:"level,omitempty"`
	Domain  string           `json:"domain,omitempty"`
	Rank    *int             `json:"rank,omitempty"`
	Devices *devicePlacement `json:"devices,omitempty"`
}

// devicePlacement has bandwidths in GB/s, each way.
type devicePlacement struct {
	Quality float64 `json:"quality"`
	Ideal   float64 `json:"ideal"`
	// Picker is who picks: device-plugin says that the devices are a prediction.
	Picker string `json:"picker"`
}

// Annotations returns what is written on a pod with its binding: the devices that it was
// given, and its place in a plan. Each may be nil.
func Annotations(taken *Taken, place *Place) (map[string]string, error) {
	out := map[string]string{}
	var p placement
	if taken != nil {
		devices, err := json.Marshal(taken.Devices) // ordered by name
		if err != nil {
			return nil, fmt.Errorf("writing annotation %s: %w", dialect.DevicesAnnotation, err)
		}
		out[dialect.DevicesAnnotation] = string(devices)
		p.Devices = &devicePlacement{Quality: float64(taken.Quality) / 1000, Ideal: float64(taken.Ideal) / 1000, Picker: pickers[taken.Picker]}
	}
	if place != nil {
		p.Level, p.Domain, p.Rank = place.Level, place.Domain, &place.Rank
	}
	if p == (placement{}) {
		return out, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing annotation %s: %w", dialect.PlacementAnnotation, err)
	}
	out[dialect.PlacementAnnotation] = string(text)
	return out, nil
}
