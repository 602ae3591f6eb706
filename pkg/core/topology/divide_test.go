package topology

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDivide(t *testing.T) {
	table := fixture(t, "dgx1-v100")
	tests := []struct {
		name   string
		picker Picker
		level  Level
		k      int
		parts  []int
		free   Mask
		set    Mask
		want   []Mask
		none   bool
	}{
		{name: "one container", k: 4, parts: []int{4}, free: 0xff, set: 0x0f, want: []Mask{0x0f}},
		{name: "the largest gets the best", picker: Scheduler, k: 3, parts: []int{1, 2}, free: 0x0f, set: 0x07, want: []Mask{0x01, 0x06}},
		// Any device first; of the rest, 1 and 2 or 2 and 3 are a pair with two links.
		{name: "the plugin picks in turn", k: 3, parts: []int{1, 2}, free: 0x0f, set: 0x07, want: []Mask{0x01, 0x06}},
		{name: "an init container asks for more", k: 4, parts: []int{2}, free: 0xff, set: 0x0f, want: []Mask{0x09}},
		{name: "a container without devices", k: 2, parts: []int{0, 2}, free: 0xff, set: 0x09, want: []Mask{0, 0x09}},
		{name: "too few", k: 4, parts: []int{4}, free: 0x07, none: true},
		{name: "too few in turn", k: 4, parts: []int{2, 2}, free: 0x07, none: true},
		{name: "no such links", level: NVLink, k: 3, parts: []int{3}, free: 0x25, none: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := NewClass(table.Matrix, test.picker, DefaultSizes())
			got, ok := c.Divide(test.level, test.k, test.parts, test.free)
			if ok == test.none {
				t.Fatalf("got %+v, %t", got, ok)
			}
			if diff := cmp.Diff(test.want, got.Parts); ok && (diff != "" || got.Set != test.set) {
				t.Errorf("set %b, want %b; parts (-want +got):\n%s", got.Set, test.set, diff)
			}
		})
	}
}
