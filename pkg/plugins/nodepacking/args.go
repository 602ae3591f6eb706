package nodepacking

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/plugins/arguments"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Kind is the kind of Args in a configuration.
const Kind = "NodePackingArgs"

// The values of Args.Policy.
const (
	// Pack takes the tightest node, which keeps the largest whole sets of devices
	// free.
	Pack = "Pack"
	// Spread takes the emptiest node.
	Spread = "Spread"
)

// Args is the configuration of the plugin in one profile.
type Args struct {
	metav1.TypeMeta `json:",inline"`
	// Policy is Pack, the default, or Spread.
	Policy string `json:"policy,omitempty"`
	// Weights say how CPU and memory count among nodes with equally many devices
	// free.
	Weights Weights `json:"weights,omitzero"`
	// Devices are the extended resources that are devices; without any, those of
	// device.DefaultNames. All profiles have the same.
	Devices []corev1.ResourceName `json:"devices,omitempty"`
}

// Weights weigh CPU and memory, each from 0 to pack.MaxWeight, 1 by default.
type Weights struct {
	CPU    *int32 `json:"cpu,omitempty"`
	Memory *int32 `json:"memory,omitempty"`
}

// DecodeArgs reads the configuration; what is empty gets defaults. Errors name the
// field and what it may be.
func DecodeArgs(raw []byte) (*Args, error) {
	args := &Args{}
	if err := arguments.Decode(raw, Name, args); err != nil {
		return nil, err
	}
	if args.Policy == "" {
		args.Policy = Pack
	}
	one := int32(1)
	if args.Weights.CPU == nil {
		args.Weights.CPU = &one
	}
	if args.Weights.Memory == nil {
		args.Weights.Memory = &one
	}
	if len(args.Devices) == 0 {
		args.Devices = device.DefaultNames()
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
	if a.Policy != Pack && a.Policy != Spread {
		faults = append(faults, fmt.Errorf("policy is %q; it must be %q or %q", a.Policy, Pack, Spread))
	}
	for _, w := range []struct {
		field string
		value int32
	}{{"weights.cpu", *a.Weights.CPU}, {"weights.memory", *a.Weights.Memory}} {
		if w.value < 0 || w.value > pack.MaxWeight {
			faults = append(faults, fmt.Errorf("%s is %d; it must be from 0 to %d", w.field, w.value, pack.MaxWeight))
		}
	}
	for i, name := range a.Devices {
		if problems := validation.IsQualifiedName(string(name)); len(problems) > 0 {
			faults = append(faults, fmt.Errorf("devices[%d] is %q, which is no resource name: %s", i, name, problems[0]))
		} else if slices.Contains(a.Devices[:i], name) {
			faults = append(faults, fmt.Errorf("devices[%d] is %q, which is there already; remove it", i, name))
		}
	}
	return errors.Join(faults...)
}

// PackPolicy returns the policy as the core has it.
func (a *Args) PackPolicy() pack.Policy {
	return pack.Policy{Spread: a.Policy == Spread, CPU: *a.Weights.CPU, Memory: *a.Weights.Memory}
}
