package repair

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// naive decides second by second, with nothing worked out ahead: it counts one idle device
// after another until they have cost as much as a restart.
func naive(s Situation) (Action, Code) {
	policy := s.Policy
	if policy == Unsaid {
		policy = Replace
		if s.Owner.MakesAgain && !s.Owner.Replaces {
			policy = Restart
		}
	}
	if policy == Ignore {
		return Tell, Ignored
	}
	if policy == Restart {
		return RestartAll, Asked
	}
	if !s.NoRoom {
		for second := range s.Window {
			if second == s.For && len(s.Spares) > 0 {
				return Keep, SpareKept
			}
			if second == s.For {
				return Keep, RoomKept
			}
		}
		return GiveUp, WindowOver
	}
	if !s.Owner.MakesAgain {
		return Wait, WouldEnd
	}
	if s.Elsewhere == "" {
		return Wait, NoRoomElsewhere
	}
	cost := int64(0)
	for range s.NoRoomFor {
		for range max(1, s.Idle) {
			cost++
		}
	}
	if cost >= s.Lost {
		return RestartAll, RestartCostsLess
	}
	return Wait, WaitCostsLess
}

func TestDecideAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	coin := func() bool { return r.IntN(2) == 0 }
	seen := map[Code]int{}
	for range 50_000 {
		s := Situation{
			Policy: []Policy{Unsaid, Unsaid, Replace, Replace, Replace, Restart, Ignore}[r.IntN(7)],
			Owner:  Owner{MakesAgain: r.IntN(4) > 0, Replaces: coin()}, Missing: 1 + r.IntN(4),
			For: r.Int64N(12), Window: r.Int64N(12), NoRoom: coin(), NoRoomFor: r.Int64N(12),
			Elsewhere: []string{"", "rack-2", "rack-3"}[r.IntN(3)], Spares: [][]string{nil, {"n1"}}[r.IntN(2)], Lost: r.Int64N(60), Idle: r.Int64N(8),
		}
		got := Decide(s)
		action, code := naive(s)
		if got.Action != action || got.Code != code || strings.Contains(got.Text, "on spares n1,") != (code == SpareKept) {
			t.Fatalf("%+v: got %s %s, the twin %s %s", s, got.Action, got.Code, action, code)
		}
		seen[code]++
		if got.Code == WaitCostsLess {
			// When it says that the wait is over, it is, and not before.
			at := s
			at.NoRoomFor += got.After
			if d := Decide(at); d.Code != RestartCostsLess {
				t.Fatalf("%+v: after %d s: %+v", s, got.After, d)
			}
			at.NoRoomFor--
			if d := Decide(at); d.Code != WaitCostsLess {
				t.Fatalf("%+v: before %d s: %+v", s, got.After, d)
			}
		}
		if got.Text == "" || strings.HasSuffix(got.Text, ".") {
			t.Fatalf("%+v: text %q", s, got.Text)
		}
	}
	for _, code := range []Code{Ignored, Asked, RoomKept, SpareKept, WindowOver, WouldEnd, NoRoomElsewhere, WaitCostsLess, RestartCostsLess} {
		if seen[code] == 0 {
			t.Errorf("no case came to %s", code)
		}
	}
}

// To wait until the idle devices have cost as much as a restart costs at most twice what the
// better choice would have, whenever room comes.
func TestWaitIsAtMostTwiceTheBest(t *testing.T) {
	for lost := range int64(40) {
		for idle := int64(1); idle < 6; idle++ {
			for comes := range int64(60) {
				cost := int64(0)
				for second := int64(0); ; second++ {
					if second == comes {
						break // room came
					}
					s := Situation{Policy: Replace, Owner: Owner{true, true}, Missing: 1, NoRoom: true, NoRoomFor: second, Elsewhere: "r", Lost: lost, Idle: idle}
					if Decide(s).Action == RestartAll {
						cost += lost
						break
					}
					cost += idle
				}
				// One second is the grain of the clock.
				if best := min(lost, comes*idle); cost > 2*best+idle {
					t.Fatalf("lost %d, idle %d, room after %d s: cost %d, the best is %d", lost, idle, comes, cost, best)
				}
			}
		}
	}
}

func TestMissing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		size, done, standing := 1+r.IntN(6), r.IntN(4), r.IntN(8)
		lost := r.IntN(standing + 1)
		// One member after another: who is there for the gang.
		there := 0
		for i := range standing {
			if i >= lost {
				there++
			}
		}
		want := 0
		for there+done+want < size && standing > 0 {
			want++
		}
		if got := (Count{size, done, standing, lost}).Missing(); got != want {
			t.Fatalf("size %d, done %d, standing %d of which %d on lost nodes: %d, want %d", size, done, standing, lost, got, want)
		}
	}
}

// Of a gang that changes its size while members come, go and end, those are lost that were there.
func TestHad(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 6))
	for range 5_000 {
		size := 1 + r.IntN(5)
		before := Count{Size: size}.Had(0, false)
		if before != size {
			t.Fatalf("%d of %d before it is placed", before, size)
		}
		// there is which of the places of the gang somebody has had; it is placed whole.
		there := map[int]bool{}
		for i := range size {
			there[i] = true
		}
		for range 20 {
			size = 1 + r.IntN(7)
			standing := r.IntN(8)
			for i := range standing {
				there[i] = true
			}
			for i := range 8 {
				if i >= size {
					delete(there, i) // nobody needs it
				}
			}
			if before = (Count{Size: size, Standing: standing}).Had(before, true); before != len(there) {
				t.Fatalf("size %d, %d standing: had %d, want %d", size, standing, before, len(there))
			}
		}
	}
}

func TestParsePolicy(t *testing.T) {
	for word, want := range map[string]Policy{"": Unsaid, "replace": Replace, "restart": Restart, "ignore": Ignore} {
		if got, err := ParsePolicy(word); got != want || err != nil {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
	for _, word := range []string{"Replace", "none", " restart", strings.Repeat("x", 300)} {
		if got, err := ParsePolicy(word); got != Unsaid || err == nil {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
}

func TestDecideAtTheLimits(t *testing.T) {
	s := Situation{Policy: Replace, Owner: Owner{true, true}, NoRoom: true, Elsewhere: "r", Lost: math.MaxInt64, Idle: 1}
	if d := Decide(s); d.Action != Wait || d.After != math.MaxInt64 {
		t.Errorf("%+v", d)
	}
	s.Lost, s.Idle = math.MaxInt64, math.MaxInt64
	if d := Decide(s); d.Action != Wait || d.After != 1 {
		t.Errorf("%+v", d)
	}
	s.Lost, s.Idle = 0, 0
	if d := Decide(s); d.Action != RestartAll {
		t.Errorf("%+v", d)
	}
}

func TestFirst(t *testing.T) {
	if got := First(map[Cause]int{Deleted: 3, NodeLost: 1}); got != NodeLost {
		t.Errorf("%s", got)
	}
	if got := First(nil); got != Deleted {
		t.Errorf("%s", got)
	}
	for _, c := range Causes() {
		if c.Sentence() == "" {
			t.Errorf("%s has no sentence", c)
		}
	}
}
