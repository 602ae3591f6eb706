package gang_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
)

// TestWalk compares Resolve with a plain reading of the table of states, for all
// sequences of up to six events and all gangs of up to four.
func TestWalk(t *testing.T) {
	length := 6
	if testing.Short() {
		length = 5
	}
	for size := 1; size <= 4; size++ {
		for name, start := range map[string]*gangtest.Model{"new": gangtest.New(size), "placed": gangtest.NewPlaced(size)} {
			checks := 0
			sequences := gangtest.Walk(start, length, name == "placed", func(sequence []gangtest.Event, before, after *gangtest.Model, placed bool) bool {
				checks++
				verdict := resolve(before, &placed)
				_ = resolve(after, &placed)
				if problem := compare(before, after, verdict); problem != "" {
					t.Fatalf("a %s gang of %d, %v: %s\n%+v", name, size, sequence, problem, before.Pods)
				}
				return placed
			})
			t.Logf("%s gangs of %d: %d sequences of %d events, %d states compared", name, size, sequences, length, checks)
			if sequences < 1000 {
				t.Errorf("%s gangs of %d: only %d sequences", name, size, sequences)
			}
		}
	}
}

// compare says how a verdict differs from what the table places; "" if it does not.
func compare(before, after *gangtest.Model, verdict gang.Verdict) string {
	if !slices.ContainsFunc(before.Pods, func(p gangtest.Pod) bool { return p.State == gang.Waiting }) {
		return ""
	}
	placed := len(after.Placed()) > len(before.Placed())
	if verdict = verdict.Await(before.Now()); placed != (verdict.Action == gang.Admit) {
		return fmt.Sprintf("%s %s %q, and the table places %v", verdict.Action, verdict.Code, verdict.Text, placed)
	}
	if can := standingOrWaiting(before); placed && int(verdict.Group.Need) > can {
		return fmt.Sprintf("%d are needed, and %d have a place or wait for one", verdict.Group.Need, can)
	}
	return ""
}

// resolve resolves the gang of a model, and remembers that it was placed.
func resolve(m *gangtest.Model, placed *bool) gang.Verdict {
	size := int64(m.Size)
	verdict := gang.Resolve(gang.Key{Namespace: "ml", Name: "g"}, &gang.Declaration{Claims: gang.Claims{Size: &size}}, m.Members("berth"),
		func(string) bool { return true }, *placed)
	*placed = verdict.Placed
	return verdict
}

func standingOrWaiting(m *gangtest.Model) int {
	n := 0
	for _, p := range m.Pods {
		if p.State == gang.Running || p.State == gang.Waiting {
			n++
		}
	}
	return n
}
