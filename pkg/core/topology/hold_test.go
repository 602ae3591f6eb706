package topology

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHold(t *testing.T) {
	c := NewClass(fixture(t, "dgx1-v100").Matrix, Scheduler, DefaultSizes())
	tests := []struct {
		name   string
		usable Mask
		claims []Claim
		want   []Mask
		free   Mask
	}{
		{"nobody", 0xff, nil, nil, 0xff},
		{"intended", 0xff, []Claim{{ID: "a", Devices: 4, Set: 0x0f}}, []Mask{0x0f}, 0xf0},
		{"nothing is said", 0xff, []Claim{{ID: "a", Devices: 4}}, []Mask{0x0f}, 0xf0},
		{"the node knows better", 0xff, []Claim{{ID: "a", Devices: 2, Set: 0x09}, {ID: "b", Devices: 2, Set: 0x09, Reported: true}}, []Mask{0x06, 0x09}, 0xf0},
		{"two are told the same", 0xff, []Claim{{ID: "b", Devices: 4, Set: 0x0f}, {ID: "a", Devices: 4, Set: 0x0f}}, []Mask{0xf0, 0x0f}, 0},
		{"too few are left", 0x7f, []Claim{{ID: "a", Devices: 4, Set: 0x0f}, {ID: "b", Devices: 4}}, []Mask{0x0f, 0x70}, 0},
		{"on a device that is unhealthy by now", 0xfe, []Claim{{ID: "a", Devices: 2, Set: 0x09}}, []Mask{0x09}, 0xf6},
		{"shared, as the node says", 0xff, []Claim{{ID: "a", Devices: 0, Set: 1, Reported: true}, {ID: "b", Set: 1, Reported: true}}, []Mask{1, 1}, 0xfe},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			held, free := c.Hold(test.usable, test.claims, nil)
			if diff := cmp.Diff(test.want, held); diff != "" || free != test.free {
				t.Errorf("free %b, want %b; held (-want +got):\n%s", free, test.free, diff)
			}
		})
	}
}

// TestHoldIsAFunctionOfClaims shuffles claims, and checks that no device has two holders
// that the node did not report.
func TestHoldIsAFunctionOfClaims(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	c := NewClass(fixture(t, "dgx1-v100").Matrix, DevicePlugin, DefaultSizes())
	for step := range 5000 {
		claims := make([]Claim, random.IntN(6))
		var reported Mask
		for i := range claims {
			claims[i] = Claim{ID: strconv.Itoa(i), Devices: 1 + random.IntN(4)}
			if set := Mask(random.IntN(256)); random.IntN(2) == 0 {
				if claims[i].Set = set; set&reported == 0 && random.IntN(2) == 0 {
					claims[i].Reported = true
					reported |= set
				}
			}
		}
		usable := Mask(random.IntN(256))
		held, free := c.Hold(usable, claims, nil)
		var all Mask
		for i, set := range held {
			if set&all != 0 {
				t.Fatalf("step %d: claims %+v hold %b: a device has two holders", step, claims, held)
			}
			all |= set
			if claims[i].Reported && set != claims[i].Set {
				t.Fatalf("step %d: claim %+v holds %b", step, claims[i], set)
			}
		}
		if free != usable&^all {
			t.Fatalf("step %d: %b is free, of %b with %b held", step, free, usable, all)
		}
		shuffled := append([]Claim(nil), claims...)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, freeAgain := c.Hold(usable, shuffled, nil)
		for i := range shuffled {
			at, _ := strconv.Atoi(shuffled[i].ID)
			if again[i] != held[at] || freeAgain != free {
				t.Fatalf("step %d: in another order claims %+v hold %b, not %b", step, shuffled, again, held)
			}
		}
	}
}
