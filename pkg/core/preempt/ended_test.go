package preempt

import (
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
)

// Who ends for good goes last among equals of priority, however little it has done, and of
// several the one that has done least.
func TestEndedIsTheLastResort(t *testing.T) {
	const day = 86400
	for _, test := range []struct {
		name string
		// ended and lost are those of gangs of one node each.
		ended, lost []int64
		priorities  []int32
		pods        int
		want        []string
	}{
		{"one that comes again loses a day", []int64{1, 0}, []int64{0, day}, []int32{0, 0}, 1, []string{"g1"}},
		{"all end", []int64{day, 60, 3600}, []int64{0, 60, 3600}, []int32{0, 0, 0}, 1, []string{"g1"}},
		{"two that end go for one that has done more", []int64{day, 60, 3600}, []int64{0, 60, 3600}, []int32{0, 0, 0}, 2, []string{"g1", "g2"}},
		{"priority comes first", []int64{day, 0}, []int64{day, 0}, []int32{0, 1}, 1, []string{"g0"}},
		{"one ends, for the others are not enough", []int64{0, day, 3600, 0}, []int64{day, 0, 0, day}, []int32{0, 0, 0, 0}, 3, []string{"g0", "g2", "g3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			for i, node := range w.rack("b", "r1", len(test.ended)) {
				g := w.run("g"+string(rune('0'+i)), test.priorities[i], 8, test.lost[i], node)
				g.Ended = test.ended[i]
			}
			got, why := Victims(w.Planner, asks(test.pods, 8, rack, fabric.NoLevel), w.running, anyone{}, Bounds{})
			if why != nil {
				t.Fatal(why.Sentence(w.Fabric))
			}
			if victims := who(got); !slices.Equal(victims, test.want) || !got.Exact {
				t.Errorf("victims are %q, exact %t; want %q", victims, got.Exact, test.want)
			}
		})
	}
}

// Of an elastic gang that may go in part alone, members go so that others may go after them.
func TestOthersGoAfterPartOfAGang(t *testing.T) {
	w := newWorld()
	nodes := w.rack("b", "r1", 4)
	w.run("elastic", 0, 8, 1, nodes[:3]...).Least = 0
	w.run("other", 0, 8, 1, nodes[3]).Queue = 1
	permit := &rules{most: map[QueueID]int{0: 2}, over: 2}
	got, why := Victims(w.Planner, asks(3, 8, rack, fabric.NoLevel), w.running, permit, Bounds{})
	if why != nil {
		t.Fatal(why.Sentence(w.Fabric))
	}
	if want, victims := []string{"elastic elastic-2 elastic-1", "other"}, who(got); !slices.Equal(victims, want) {
		t.Errorf("victims are %q, want %q", victims, want)
	}
}
