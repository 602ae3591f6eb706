package device

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// TestRatesAreBounded reads rates from before the definition had a maximum.
func TestRatesAreBounded(t *testing.T) {
	for _, test := range []struct {
		name  string
		rates v1alpha1.Rates
		want  topology.Rates
	}{
		{"as they are", v1alpha1.Rates{NVLink: 25_000, PCIe: 12_000, System: 10_000}, topology.Rates{NVLink: 25_000, PCIe: 12_000, System: 10_000}},
		{"too high", v1alpha1.Rates{NVLink: 1 << 30, PCIe: math.MaxInt32, System: 1_000_001}, topology.Rates{NVLink: 1_000_000, PCIe: 1_000_000, System: 1_000_000}},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &v1alpha1.NodeTopology{Spec: v1alpha1.NodeTopologySpec{Rates: &test.rates}}
			if diff := cmp.Diff(test.want, ReadMachine(object).Matrix.Rates); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
		})
	}
}
