package webpage

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A reader that applies what changes, as it comes over the wire, has what there is.
func TestDeltasMakeTheFrame(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 0))
		frame := func() Frame {
			out := Frame{Nodes: {}, Gangs: {}, Queues: {}}
			for _, kind := range []string{Nodes, Gangs, Queues} {
				for _, key := range []string{"a", "b", "ns/g", "ns/pod/g", "<b>"} {
					if random.IntN(3) > 0 {
						out[kind][key] = json.RawMessage(fmt.Sprintf(`{"gpus":%d}`, random.IntN(3)))
					}
				}
			}
			return out
		}
		last := frame()
		read := last
		for range 4 {
			now := frame()
			if random.IntN(4) == 0 {
				now = last
			}
			delta := now.Since(last)
			if same := cmp.Equal(last, now); delta.Empty() != same {
				t.Fatalf("seed %d: empty is %v of a delta between frames of which equal is %v: %+v", seed, delta.Empty(), same, delta)
			}
			text, err := json.Marshal(delta)
			if err != nil {
				t.Fatal(err)
			}
			var heard Delta
			if err := json.Unmarshal(text, &heard); err != nil {
				t.Fatal(err)
			}
			read, last = read.Apply(heard), now
			if diff := cmp.Diff(now, read); diff != "" {
				t.Fatalf("seed %d: after %s (-want +got):\n%s", seed, text, diff)
			}
		}
	}
}

func TestInline(t *testing.T) {
	script, err := Inline("map.js", "gangs.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"import ", "export "} {
		if contains(script, "\n"+line) {
			t.Errorf("a script that is no module says %q", line)
		}
	}
	if !contains(script, "\nclass FleetMap") || !contains(script, "\nclass GangList") {
		t.Error("a class is missing")
	}
	if _, err := Inline("none.js"); err == nil {
		t.Error("a file that is not there is none")
	}
}
