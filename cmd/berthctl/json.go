package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// report is an outcome in JSON. The order of the fields is that of the keys, and part
// of what is promised.
type report struct {
	K    int   `json:"k"`
	Free []int `json:"free"`
	Best []int `json:"best"`
	// Quality and Ideal are in GB/s, Ratio is 0 to 1.
	Quality float64 `json:"quality"`
	Ideal   float64 `json:"ideal"`
	Ratio   float64 `json:"ratio"`
	Left    shares  `json:"left"`

	Link   string      `json:"link"`
	Picker string      `json:"picker"`
	Rates  reportRates `json:"rates"`
	// UUIDs are those of Best, and Remarks are about devices that are not free: of a
	// node alone. Reason says why there is no set.
	UUIDs   []string `json:"uuids,omitempty"`
	Remarks []string `json:"remarks,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// reportRates are in GB/s.
type reportRates struct {
	NVLink float64 `json:"nvlink"`
	PCIe   float64 `json:"pcie"`
	System float64 `json:"system"`
}

// shares are an object with a key for each size, lowest first.
type shares []share

// MarshalJSON writes the sizes in their order.
func (s shares) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, one := range s {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:%s", strconv.Itoa(one.size), strconv.FormatFloat(rounded(one.ratio), 'f', -1, 64))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// writeJSON prints an outcome as one line of JSON.
func writeJSON(out io.Writer, m machine, q query, o outcome) error {
	r := report{
		K: q.k, Free: m.named(q.free), Best: m.named(o.set),
		Quality: inGigabytes(o.quality), Ideal: inGigabytes(o.ideal), Ratio: rounded(o.ratio), Left: o.left,
		Link: q.level.String(), Picker: pickerName(q.picker), Rates: reportedRates(m.matrix.Rates), Remarks: m.remarks, Reason: o.reason,
	}
	if m.uuids != nil {
		for d := range o.set.Each() {
			r.UUIDs = append(r.UUIDs, m.uuids[d])
		}
	}
	return writeLine(out, r)
}

// writeLine prints a value as one line of JSON, without escapes for HTML.
func writeLine(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func reportedRates(r topology.Rates) reportRates {
	return reportRates{NVLink: inGigabytes(r.NVLink), PCIe: inGigabytes(r.PCIe), System: inGigabytes(r.System)}
}

// inGigabytes converts MB/s to GB/s.
func inGigabytes(megabytes int32) float64 { return float64(megabytes) / 1000 }

// rounded rounds to three decimals.
func rounded(ratio float64) float64 { return math.Round(ratio*1000) / 1000 }
