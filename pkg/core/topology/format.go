package topology

import (
	"fmt"
	"strconv"
	"strings"
)

// Format prints a table in the form of nvidia-smi topo -m. Parse reads it back, but for
// rates, the PCIe path beside NVLink, and paths to network adapters.
func (t Table) Format() string {
	known := false
	for d := range t.Devices {
		known = known || t.NUMA[d] != UnknownNUMA
	}
	var out strings.Builder
	cell := func(text string) { fmt.Fprintf(&out, "%-8s", text) }
	line := func() {
		text := strings.TrimRight(out.String(), " ")
		out.Reset()
		out.WriteString(text + "\n")
	}
	cell("")
	for _, number := range t.Numbers {
		cell("GPU" + strconv.Itoa(number))
	}
	if known {
		out.WriteString("NUMA Affinity")
	}
	line()
	for a := range t.Devices {
		cell("GPU" + strconv.Itoa(t.Numbers[a]))
		for b := range t.Devices {
			cell(t.word(a, b))
		}
		switch {
		case known && t.NUMA[a] == UnknownNUMA:
			cell("N/A")
		case known:
			cell(strconv.Itoa(int(t.NUMA[a])))
		}
		line()
	}
	return out.String()
}

// word says how two devices are linked in one word.
func (m *Matrix) word(a, b int) string {
	switch link := m.Links[a][b]; {
	case a == b:
		return "X"
	case link.NVLinks > 0:
		return "NV" + strconv.Itoa(int(link.NVLinks))
	default:
		return link.Path.String()
	}
}
