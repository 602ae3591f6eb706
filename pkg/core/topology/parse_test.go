package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As a driver prints it, with adapters, tabs, an underlined header and a legend.
const printed = "\t\x1b[4mGPU0\tGPU1\tNIC0\tNIC1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n" +
	"GPU0\t X \tNV18\tPXB\tSYS\t0-47,96-143\t0\t\tN/A\n" +
	"GPU1\tNV18\t X \tSYS\tPIX\t48-95,144-191\t1\t\tN/A\n" +
	"NIC0\tPXB\tSYS\t X \tSYS\n" +
	"NIC1\tSYS\tPIX\tSYS\t X \n" +
	"\nLegend:\n\n  X    = Self\n  SYS  = Connection traversing PCIe as well as the SMP interconnect\n\nNIC Legend:\n\n  NIC0: mlx5_0\n"

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       func(*Table)
	}{
		{"adapters and a legend", printed, func(w *Table) {
			w.Join(0, 1, Link{Path: System, NVLinks: 18})
			w.NUMA = [MaxDevices]int16{0, 1}
			w.NIC = [MaxDevices]Path{Bridges, Bridge}
		}},
		{"no NUMA nodes", "GPU0 GPU1\nGPU0 X PHB\nGPU1 PHB X\n", func(w *Table) {
			w.Join(0, 1, Link{Path: HostBridge})
			w.NUMA = [MaxDevices]int16{UnknownNUMA, UnknownNUMA}
		}},
		{"half a matrix", "# one row is missing\nGPU0 GPU1 NUMA Affinity\nGPU1 NV2 X 0\n", func(w *Table) {
			w.Join(0, 1, Link{NVLinks: 2})
			w.NUMA = [MaxDevices]int16{UnknownNUMA, 0}
		}},
		{"halves that differ", "GPU0 GPU1\nGPU0 X NV2\nGPU1 NV1 X\n", func(w *Table) {
			w.Join(0, 1, Link{NVLinks: 1})
			w.NUMA = [MaxDevices]int16{UnknownNUMA, UnknownNUMA}
		}},
		{"a device is missing", "GPU0 GPU2\nGPU0 X N/A\nGPU2 N/A X\n", func(w *Table) {
			w.Numbers = []int{0, 2}
			w.NUMA = [MaxDevices]int16{UnknownNUMA, UnknownNUMA}
		}},
		{"old words", "GPU0 GPU1\nGPU0 X SOC\nGPU1 SOC X\n", func(w *Table) {
			w.Join(0, 1, Link{Path: System})
			w.NUMA = [MaxDevices]int16{UnknownNUMA, UnknownNUMA}
		}},
		{"NUMA nodes in a range", "GPU0 GPU1 CPU Affinity NUMA Affinity\nGPU0 X PIX 0-31 0-1\nGPU1 PIX X 0-31 N/A\n", func(w *Table) {
			w.Join(0, 1, Link{Path: Bridge})
			w.NUMA = [MaxDevices]int16{UnknownNUMA, UnknownNUMA}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			want := Table{Matrix: Matrix{Devices: 2}, Numbers: []int{0, 1}}
			test.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	many := ""
	for i := range 17 {
		many += fmt.Sprintf("GPU%d ", i)
	}
	tests := []struct{ name, text, want string }{
		{"empty", "", "GPU0, GPU1"},
		{"something else", "hello\nworld\n", "GPU0, GPU1"},
		{"no rows", "GPU0 GPU1\n", "no rows"},
		{"an unknown word", "GPU0 GPU1\nGPU0 X FAST\nGPU1 FAST X\n", `line 2: row GPU0, column GPU1: "FAST"`},
		{"too many links", "GPU0 GPU1\nGPU0 X NV256\n", `"NV256"`},
		{"short row", "GPU0 GPU1\nGPU0 X\n", "row GPU0 has 1 cells for 2 columns"},
		{"not itself", "GPU0 GPU1\nGPU0 NV1 X\n", "row GPU0, column GPU0"},
		{"a column twice", "GPU0 GPU0\n", "twice"},
		{"one device by two names", "GPU01 GPU1\n", "column GPU01: the name of device 1 is GPU1"},
		{"too many devices", many + "\n", "at most 16"},
		{"a row too many", "GPU0 GPU1\nGPU0 X PIX\nGPU2 PIX PIX\n", "row GPU2 has no column"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// FuzzParse checks that whatever is read makes a class, and is printed and read alike.
func FuzzParse(f *testing.F) {
	f.Add(printed)
	for _, name := range fixtures(f) {
		f.Add(fixture(f, name).Format())
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse(text)
		if err != nil || table.Devices == 0 || table.Devices > 8 {
			return
		}
		c := NewClass(table.Matrix, DevicePlugin, DefaultSizes())
		for k := 1; k <= table.Devices; k++ {
			if choice, ok := c.Choose(AnyLink, k, All(table.Devices)); !ok || choice.Set.Len() != k || choice.Ratio > Unit {
				t.Fatalf("%d of all: %+v, %t", k, choice, ok)
			}
		}
		if table.Devices == 1 {
			return
		}
		again, err := Parse(table.Format())
		if err != nil || again.Devices != table.Devices {
			t.Fatalf("printed and read: %v\n%s", err, table.Format())
		}
	})
}
