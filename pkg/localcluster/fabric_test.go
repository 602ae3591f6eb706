package localcluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "k8s.io/api/core/v1"
)

func TestMachinesAreUsable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Machines() {
		if err := m.validate(); err != nil {
			t.Error(err)
		}
		if seen[m.Name] {
			t.Errorf("two models are named %q", m.Name)
		}
		seen[m.Name] = true
		if got, err := MachineNamed(m.Name); err != nil || got != m {
			t.Errorf("MachineNamed(%q) = %v, %v", m.Name, got, err)
		}
		if (m.GPUs > 0) != (m.GPU != "") || (m.GPUs > 0) != (m.GPUMemory > 0) {
			t.Errorf("model %q has %d GPUs of product %q with %d MiB", m.Name, m.GPUs, m.GPU, m.GPUMemory)
		}
		gpus, has := m.capacity()[GPUResource]
		if has != (m.GPUs > 0) || gpus.Value() != m.GPUs {
			t.Errorf("model %q offers %v of %s, want %d", m.Name, gpus.Value(), GPUResource, m.GPUs)
		}
	}
}

func TestUnknownMachineListsTheKnown(t *testing.T) {
	_, err := MachineNamed("hgx-h1000")
	if err == nil {
		t.Fatal("got no error")
	}
	for _, m := range Machines() {
		if !strings.Contains(err.Error(), m.Name) {
			t.Errorf("%q does not list %q", err, m.Name)
		}
	}
}

func TestLayOut(t *testing.T) {
	place := func(n *v1.Node) string {
		return fmt.Sprintf("%s %s %s", n.Name, n.Labels[RackLabel], n.Labels[BlockLabel])
	}
	tests := map[string]struct {
		at   position
		pool Nodes
		want []string
		next position
	}{
		"none": {
			at:   position{1, 1, 1},
			pool: Nodes{Count: 0, RackSize: 2, BlockSize: 2},
			next: position{1, 1, 1},
		},
		"the last rack and block are not full": {
			at:   position{1, 1, 1},
			pool: Nodes{Count: 5, RackSize: 2, BlockSize: 2},
			want: []string{
				"node-00001 rack-0001 block-001",
				"node-00002 rack-0001 block-001",
				"node-00003 rack-0002 block-001",
				"node-00004 rack-0002 block-001",
				"node-00005 rack-0003 block-002",
			},
			next: position{6, 4, 3},
		},
		"a second pool has racks and blocks of its own": {
			at:   position{6, 4, 3},
			pool: Nodes{Count: 3, RackSize: 2, BlockSize: 8},
			want: []string{
				"node-00006 rack-0004 block-003",
				"node-00007 rack-0004 block-003",
				"node-00008 rack-0005 block-003",
			},
			next: position{9, 6, 4},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			nodes, next := layOut(test.at, test.pool)
			var got []string
			for _, n := range nodes {
				got = append(got, place(n))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			if next != test.next {
				t.Errorf("next position %v, want %v", next, test.next)
			}
		})
	}
}

func TestNodeLabels(t *testing.T) {
	model, err := MachineNamed("hgx-h100")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"kubernetes.io/arch":               "amd64",
		"kubernetes.io/hostname":           "node-00007",
		"kubernetes.io/os":                 "linux",
		"node.kubernetes.io/instance-type": "hgx-h100",
		"nvidia.com/gpu.count":             "8",
		"nvidia.com/gpu.memory":            "81559",
		"nvidia.com/gpu.product":           "NVIDIA-H100-80GB-HBM3",
		"topology.kubernetes.io/block":     "block-001",
		"topology.kubernetes.io/rack":      "rack-0002",
		"topology.kubernetes.io/region":    "local",
		"topology.kubernetes.io/zone":      "local-2",
	}
	node := newNode(position{7, 2, 1}, "local-2", model)
	if diff := cmp.Diff(want, node.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestNodesDefaults(t *testing.T) {
	got, err := Nodes{Count: 3}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Nodes{Count: 3, RackSize: DefaultRackSize, BlockSize: DefaultBlockSize, Zone: DefaultZone, Model: Machines()[0]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, bad := range map[string]Nodes{
		"negative count":      {Count: -1},
		"negative rack size":  {RackSize: -1},
		"negative block size": {BlockSize: -1},
		"model without pods":  {Model: Machine{Name: "x", CPUs: 1, Memory: 1}},
	} {
		if _, err := bad.withDefaults(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
