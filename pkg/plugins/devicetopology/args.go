package devicetopology

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/plugins/arguments"
)

// Kind is the kind of Args in a configuration.
const Kind = "DeviceTopologyArgs"

// The values of Args.Picker.
const (
	// DevicePlugin: on each node, the device plugin of NVIDIA picks devices by its
	// default policy. Berth predicts what it will pick, and ranks nodes by that.
	DevicePlugin = "DevicePlugin"
	// Scheduler: what is on the nodes gives a pod the devices that its annotation
	// berth.dev/devices names.
	Scheduler = "Scheduler"
)

// MaxWeight is the largest weight of a size.
const MaxWeight = 100

// Args is the configuration of the plugin. All profiles have the same.
type Args struct {
	metav1.TypeMeta `json:",inline"`
	// Picker says who picks the devices of a pod on its node: DevicePlugin, the default,
	// which is right on a stock cluster, or Scheduler. It is about nvidia.com/gpu; of
	// other devices the best set is taken for what a pod will get.
	Picker string `json:"picker,omitempty"`
	// Sizes weigh how many devices pods ask for: what is left on a node is worth what
	// pods of these sizes could get of it. By default, 2, 4, 8 and 16 weigh 1.
	Sizes map[int32]int32 `json:"sizes,omitempty"`
}

// DecodeArgs reads the configuration; what is empty gets defaults. Errors name the
// field and what it may be.
func DecodeArgs(raw []byte) (*Args, error) {
	args := &Args{}
	if err := arguments.Decode(raw, Name, args); err != nil {
		return nil, err
	}
	if args.Picker == "" {
		args.Picker = DevicePlugin
	}
	if len(args.Sizes) == 0 {
		args.Sizes = map[int32]int32{}
		for k, weight := range topology.DefaultSizes() {
			if weight > 0 {
				args.Sizes[int32(k)] = int32(weight)
			}
		}
	}
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("checking the arguments of %s: %w", Name, err)
	}
	return args, nil
}

func (a *Args) validate() error {
	var faults []error
	if err := arguments.CheckType(a.TypeMeta, Kind); err != nil {
		faults = append(faults, err)
	}
	if a.Picker != DevicePlugin && a.Picker != Scheduler {
		faults = append(faults, fmt.Errorf("picker is %q; it must be %q or %q", a.Picker, DevicePlugin, Scheduler))
	}
	total := int32(0)
	for _, size := range slices.Sorted(maps.Keys(a.Sizes)) {
		weight := a.Sizes[size]
		if size < 1 || size > topology.MaxDevices {
			faults = append(faults, fmt.Errorf("sizes has %d; a size is from 1 to %d", size, topology.MaxDevices))
		}
		if weight < 0 || weight > MaxWeight {
			faults = append(faults, fmt.Errorf("sizes[%d] is %d; a weight is from 0 to %d", size, weight, MaxWeight))
		}
		total += max(weight, 0)
	}
	if total == 0 {
		faults = append(faults, errors.New("sizes weighs nothing; give one size a weight"))
	}
	return errors.Join(faults...)
}

// TopologyPicker returns the picker as the core has it.
func (a *Args) TopologyPicker() topology.Picker {
	if a.Picker == Scheduler {
		return topology.Scheduler
	}
	return topology.DevicePlugin
}

// TopologySizes returns the sizes as the core has them.
func (a *Args) TopologySizes() (sizes topology.Sizes) {
	for k, weight := range a.Sizes {
		sizes[k] = uint8(weight)
	}
	return sizes
}
