package rig

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// machines are link matrices as nvidia-smi topo -m prints them, each in a file by the
// name of its model.
//
//go:embed machines/*.txt
var machines embed.FS

// Model is how the devices of a machine are linked.
type Model struct {
	topology.Table
	// Rates are bandwidths in MB/s; nil for those that Berth takes for the product.
	Rates   *v1alpha1.Rates
	product string
}

// products are the products of the models, as the driver names them.
var products = map[string]string{"dgx1-v100": "Tesla V100-SXM2-16GB", "hgx-h100": "NVIDIA H100 80GB HBM3"}

// Models are the names of all models.
func Models() []string {
	var out []string
	for name := range products {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// ModelOf returns a model by its name.
func ModelOf(name string) (*Model, error) {
	product, ok := products[name]
	if !ok {
		return nil, fmt.Errorf("there is no machine %q; it must be among %s", name, strings.Join(Models(), ", "))
	}
	text, err := machines.ReadFile("machines/" + name + ".txt")
	if err != nil {
		return nil, fmt.Errorf("reading machine %q: %w", name, err)
	}
	table, err := topology.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading machine %q: %w", name, err)
	}
	return &Model{Table: table, product: product}, nil
}

// UUID returns the UUID of a device of a node.
func UUID(node string, device int) string { return board.UUID(node, device) }

// Topology returns what the agent of a node would report: its devices and how they are
// linked, and what its pods hold.
func (m *Model) Topology(node string, held ...v1alpha1.Allocation) *v1alpha1.NodeTopology {
	out := &v1alpha1.NodeTopology{
		ObjectMeta: metav1.ObjectMeta{Name: node},
		Spec:       v1alpha1.NodeTopologySpec{Resource: string(schedulers.GPU), Rates: m.Rates},
		Status:     v1alpha1.NodeTopologyStatus{Allocations: held},
	}
	for d := range m.Devices {
		device := v1alpha1.Device{UUID: UUID(node, d), Product: m.product}
		if numa := int32(m.NUMA[d]); numa != topology.UnknownNUMA {
			device.NUMANode = &numa
		}
		out.Spec.Devices = append(out.Spec.Devices, device)
		for peer := range d {
			link := m.Links[peer][d]
			out.Spec.Links = append(out.Spec.Links, v1alpha1.Link{
				A: int32(peer), B: int32(d), Path: v1alpha1.Path(link.Path.String()), NVLinks: int32(link.NVLinks), Switched: link.Switched,
			})
		}
	}
	return out
}
