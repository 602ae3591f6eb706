package gang

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// naive decides as Resolve does, the dumb way: each rule looks at all members again
// and knows nothing of order but the least name. It writes no text.
func naive(key Key, declared *Declaration, members []Member, placed bool) Verdict {
	var present []Member
	for _, m := range members {
		if !m.Leaving && !m.Succeeded {
			present = append(present, m)
		}
	}
	if m := least(present, func(m Member) bool { return m.Fault != nil }); m != nil {
		return Verdict{Action: Hold, Code: m.Fault.Code}
	}
	var speaking []Member
	for _, m := range present {
		if !m.Extra {
			speaking = append(speaking, m)
		}
	}
	if len(speaking) > 0 {
		present = speaking
	}
	first := least(present, func(Member) bool { return true })
	group := Group{Key: key}
	if first != nil {
		group.Priority, group.Preemption = first.Priority, first.Preemption
		dissenter := least(present, func(m Member) bool {
			return m.Scheduler != first.Scheduler || m.Priority != first.Priority || m.Preemption != first.Preemption
		})
		switch {
		case dissenter == nil:
		case dissenter.Scheduler != first.Scheduler:
			return Verdict{Action: Hold, Code: SchedulersDisagree}
		case dissenter.Priority != first.Priority:
			return Verdict{Action: Hold, Code: PrioritiesDisagree}
		default:
			return Verdict{Action: Hold, Code: PreemptionDisagrees}
		}
	}

	sizes, topologies, queues := map[int64]bool{}, map[Topology]bool{}, map[string]bool{}
	for _, m := range present {
		if m.Claims.Size != nil {
			sizes[*m.Claims.Size] = true
		}
		topologies[m.Claims.Topology] = true
		queues[m.Claims.Queue] = true
	}
	delete(topologies, Topology{})
	delete(queues, "")
	if declared != nil {
		group.Source = declared.Source
		if s := declared.Claims.Size; s != nil {
			sizes = map[int64]bool{*s: true}
		}
		if tp := declared.Claims.Topology; tp != (Topology{}) {
			topologies = map[Topology]bool{tp: true}
		}
		if q := declared.Claims.Queue; q != "" {
			queues = map[string]bool{q: true}
		}
	}
	switch {
	case len(sizes) > 1:
		return Verdict{Action: Hold, Code: SizesDisagree}
	case len(topologies) > 1:
		return Verdict{Action: Hold, Code: TopologiesDisagree}
	case len(queues) > 1:
		return Verdict{Action: Hold, Code: QueuesDisagree}
	case len(sizes) == 0:
		return Verdict{Action: Hold, Code: NotDeclared}
	}
	for topology := range topologies {
		group.Topology = topology
	}
	for queue := range queues {
		group.Queue = queue
	}
	for size := range sizes {
		if size < 1 || size > math.MaxInt32 {
			return Verdict{Action: Hold, Code: SizeInvalid}
		}
		for _, m := range members {
			if m.Extra && effects[naiveState(m, members)].Counts {
				size++
			}
		}
		group.Size = int32(min(size, math.MaxInt32))
	}
	return naiveNeed(group, members, placed)
}

// naiveNeed reads the table of states, one member after another.
func naiveNeed(group Group, members []Member, placed bool) Verdict {
	states := map[State]int{}
	shown := false
	for _, m := range members {
		s := naiveState(m, members)
		states[s]++
		shown = shown || effects[s].Placed
	}
	size, can, exist := int(group.Size), 0, states[Gated]
	for s, n := range states {
		switch {
		case effects[s].Counts && s != Succeeded:
			can += n
			exist += n
		case s == Succeeded:
			size -= n
		}
	}
	group.Need = int32(max(1, size))
	until := int64(0)
	if waiting := states[Waiting]; waiting > 0 && waiting == can && size <= 0 && naiveAllCameAfter(members) {
		group.Need = min(group.Size, int32(waiting))
		for _, m := range members {
			if naiveState(m, members) == Waiting && waiting < int(group.Size) {
				until = max(until, m.Created+NextPatience)
			}
		}
	}
	known := shown && (placed || !naiveInterrupted(group.Size, members))
	switch {
	case known && can > 0:
		if states[Waiting] > 0 {
			group.Need = min(group.Need, int32(can))
		}
		return Verdict{Action: Admit, Group: group, Until: until}
	case known && states[Gated] == 0, can >= int(group.Need):
		return Verdict{Action: Admit, Group: group}
	case states[Gated] > 0 && (can == 0 || exist >= int(group.Need)):
		return Verdict{Action: Hold, Code: GatedMember, Group: group}
	}
	return Verdict{Action: Hold, Code: Incomplete, Group: group}
}

// naiveAllCameAfter reports whether all who wait were made after all who have succeeded were
// bound, and were not told that the gang was placed without them.
func naiveAllCameAfter(members []Member) bool {
	for _, m := range members {
		for _, done := range members {
			if naiveState(m, nil) == Waiting && naiveState(done, nil) == Succeeded && (m.LeftOut || m.Created <= done.Bound) {
				return false
			}
		}
	}
	return true
}

// naivePlaced says what is known of the gang afterwards: as many as its size have had
// places, or that was known, and somebody is left of it.
func naivePlaced(members []Member, size int32, placed bool) bool {
	left, included := 0, 0
	for _, m := range members {
		effect := effects[naiveState(m, members)]
		if m.Extra && effect.Counts {
			size--
		}
		if effect.Placed {
			left++
			if !m.Extra {
				included++
			}
		}
	}
	return left > 0 && (placed || size > 0 && included >= int(size))
}

// naiveState is the state of a member among the others.
func naiveState(m Member, members []Member) State {
	switch {
	case m.Leaving:
		return Leaving
	case m.Succeeded:
		for _, o := range members {
			sameWork := o.Rank >= 0 && o.Rank == m.Rank && o.Role == m.Role
			madeAgain := o.Controller.UID != "" && o.Controller.Name == m.Controller.Name && o.Controller.UID != m.Controller.UID
			if !o.Leaving && !o.Succeeded && o.Created >= m.Created && (sameWork || madeAgain) {
				return Replaced
			}
		}
		return Succeeded
	case m.Node != "" && m.Running:
		return Running
	case m.Node != "":
		return Bound
	case m.Gate != "":
		return Gated
	}
	return Waiting
}

// least returns the member with the least name among those that are wanted.
func least(members []Member, wanted func(Member) bool) *Member {
	var found *Member
	for i := range members {
		if wanted(members[i]) && (found == nil || members[i].Name < found.Name) {
			found = &members[i]
		}
	}
	return found
}

// naiveInterrupted says what is left behind: with fewer than size members bound, a
// member that pends and is no younger than some bind after which there was none.
func naiveInterrupted(size int32, members []Member) bool {
	var bound, included []Member
	for _, m := range members {
		if m.Extra && effects[naiveState(m, members)].Counts {
			size--
		}
		if !m.Extra {
			included = append(included, m)
		}
	}
	members = included
	for _, m := range members {
		if m.Node != "" {
			bound = append(bound, m)
		}
	}
	if len(bound) >= int(size) {
		return false
	}
	for _, m := range members {
		for _, b := range bound {
			if m.Node == "" && m.Gate == "" && !m.LeftOut && !m.Leaving && !m.Succeeded && m.Created <= b.Bound {
				return true
			}
		}
	}
	return false
}

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// rarely is true once in n.
func rarely(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func randomClaims(r *rand.Rand, quiet int) Claims {
	var c Claims
	if !rarely(r, quiet) {
		size := pick[int64](r, 1, 2, 3, 3, 3)
		if rarely(r, 20) {
			size = pick[int64](r, -1, 0, math.MaxInt32, math.MaxInt32+1, math.MaxInt64)
		}
		c.Size = &size
	}
	if rarely(r, 3) {
		c.Topology = pick(r, Topology{Required: "rack"}, Topology{Required: "rack"}, Topology{Preferred: "rack"}, Topology{SegmentSize: 2, SegmentLevel: "rack"})
	}
	if rarely(r, 3) {
		c.Queue = pick(r, "a", "a", "a", "b")
	}
	return c
}

func randomGang(r *rand.Rand) (*Declaration, []Member) {
	var declared *Declaration
	if !rarely(r, 3) {
		declared = &Declaration{Source: "PodGroup", Claims: randomClaims(r, 3)}
	}
	// Most gangs agree on most things, or no rule past the first would be tried.
	odd := 2 + r.IntN(60)
	size := pick[int64](r, 1, 2, 3, 4)
	// Of some gangs, all that were placed have succeeded.
	done := rarely(r, 10)
	members := make([]Member, r.IntN(6))
	for i := range members {
		m := Member{
			Name: fmt.Sprintf("pod-%02d", i), Scheduler: "berth", Preemption: "PreemptLowerPriority",
			Created: r.Int64N(5), Leaving: rarely(r, 8), Rank: -1,
		}
		if rarely(r, 2) {
			m.Rank, m.Role = r.Int64N(4), pick(r, "", "", "", "driver")
		}
		if rarely(r, 2) {
			m.Controller = Controller{Name: pick(r, "Job/a", "Job/a", "Job/b"), UID: pick(r, "1", "1", "1", "2")}
		}
		if rarely(r, 8) {
			m.Gate = "example.com/hold"
		}
		if rarely(r, 2) {
			m.Claims.Size = &size
		}
		if rarely(r, 4) {
			m.Node, m.Bound = "node", r.Int64N(5)
			m.Running, m.Succeeded = rarely(r, 2), rarely(r, 3)
		}
		m.LeftOut = rarely(r, 4)
		m.Extra = rarely(r, 12)
		if done {
			m.Succeeded, m.Running, m.Leaving, m.Gate, m.LeftOut, m.Rank = i < int(size), false, false, "", rarely(r, 9), -1
			if m.Node = ""; m.Succeeded {
				m.Node, m.Bound = "node", r.Int64N(3)
			}
		}
		if rarely(r, odd) {
			m.Claims = randomClaims(r, 2)
		}
		if rarely(r, 2+odd/8) {
			m.Claims.Topology = pick(r, Topology{Required: "rack"}, Topology{Required: "rack"}, Topology{Preferred: "rack"})
		}
		if rarely(r, 2+odd/8) {
			m.Claims.Queue = pick(r, "a", "a", "b")
		}
		if rarely(r, odd) {
			m.Scheduler = "default-scheduler"
		}
		if rarely(r, odd) {
			m.Priority = 5
		}
		if rarely(r, odd) {
			m.Preemption = "Never"
		}
		if rarely(r, odd) {
			m.Fault = &Fault{Code: pick(r, Malformed, Ambiguous), Text: "no number"}
		}
		members[i] = m
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return declared, members
}

// TestResolveTwin checks 50,000 random gangs: Resolve agrees with its twin, gives the
// same verdict byte for byte whatever the order of the members, and leaves its
// arguments as they are.
func TestResolveTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 37))
	seen, awaited := map[Code]int{}, 0
	for i := range 50_000 {
		declared, members := randomGang(r)
		placed := rarely(r, 4)
		got := Resolve(testKey, declared, members, ours, placed)
		seen[got.Code]++
		if got.Until > 0 {
			awaited++
		}

		want := naive(testKey, declared, members, placed)
		if got.Placed != naivePlaced(members, got.Group.Size, placed) {
			t.Fatalf("case %d: placed %v before, %v after: %s", i, placed, got.Placed, describe(declared, members))
		}
		if got.Action != want.Action || got.Code != want.Code || got.Group != want.Group || got.Until != want.Until {
			t.Fatalf("case %d: %v of %s\ngot  %+v\nwant %+v", i, placed, describe(declared, members), got, want)
		}
		if (got.Action == Hold) != (got.Text != "") || (got.Action == Hold) != (got.Code != "") {
			t.Fatalf("case %d: a verdict is a group or a reason: %+v", i, got)
		}

		before := slices.Clone(members)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		shuffled := slices.Clone(members)
		if again := Resolve(testKey, declared, members, ours, placed); again != got {
			t.Fatalf("case %d: %s\nin another order: %+v\nwas %+v", i, describe(declared, before), again, got)
		}
		if !reflect.DeepEqual(shuffled, members) {
			t.Fatalf("case %d: the members were changed:\n%s", i, cmp.Diff(shuffled, members))
		}
	}
	if awaited < 100 {
		t.Errorf("%d gangs wait for others after all have succeeded; the cases do not try it", awaited)
	}
	for _, code := range []Code{"", NotDeclared, Incomplete, GatedMember, SizeInvalid, Malformed, Ambiguous, SizesDisagree,
		SchedulersDisagree, PrioritiesDisagree, PreemptionDisagrees, TopologiesDisagree, QueuesDisagree} {
		if seen[code] < 100 {
			t.Errorf("code %q came up %d times; the cases do not try it", code, seen[code])
		}
	}
}

// TestInterruptedTwin checks 50,000 random gangs in the same way.
func TestInterruptedTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 37))
	seen := map[bool]int{}
	for i := range 50_000 {
		_, members := randomGang(r)
		size := int32(r.IntN(6))
		got := Interrupted(size, members)
		seen[got]++
		if want := naiveInterrupted(size, members); got != want {
			t.Fatalf("case %d: size %d of %s: got %v, want %v", i, size, describe(nil, members), got, want)
		}
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if Interrupted(size, members) != got {
			t.Fatalf("case %d: size %d of %s: another answer in another order", i, size, describe(nil, members))
		}
	}
	if seen[true] < 1000 || seen[false] < 1000 {
		t.Errorf("answers came up %v times", seen)
	}
}

// TestGroupName checks that a key survives the way through a group name.
func TestGroupName(t *testing.T) {
	for _, tc := range []struct {
		key  Key
		want string
	}{
		{Key{"ml", Native, "train"}, "train"},
		{Key{"ml", "berth", "train"}, "berth:train"},
		{Key{"ml", "yunikorn", "app/workers"}, "yunikorn:app/workers"},
		{Key{"ml", "owner", "job.batch/train"}, "owner:job.batch/train"},
	} {
		if got := tc.key.GroupName(); got != tc.want {
			t.Errorf("%+v: group name %q, want %q", tc.key, got, tc.want)
		}
		if got := KeyOf(tc.key.Namespace, tc.want); got != tc.key {
			t.Errorf("KeyOf(%q) = %+v, want %+v", tc.want, got, tc.key)
		}
	}
}

// TestKeyCompare checks the order: namespace, name, dialect.
func TestKeyCompare(t *testing.T) {
	sorted := []Key{{"a", "kai", "z"}, {"b", "kai", "a"}, {"b", "volcano", "a"}, {"b", "kai", "b"}}
	for i, x := range sorted {
		for j, y := range sorted {
			got, want := x.Compare(y), compareInts(i, j)
			if got != want {
				t.Errorf("%+v against %+v: %d, want %d", x, y, got, want)
			}
		}
	}
}

func compareInts(i, j int) int {
	switch {
	case i < j:
		return -1
	case i > j:
		return 1
	}
	return 0
}

func describe(declared *Declaration, members []Member) string {
	var out strings.Builder
	if declared != nil {
		fmt.Fprintf(&out, "declared %s", describeClaims(declared.Claims))
	}
	for _, m := range members {
		fmt.Fprintf(&out, "\n  %s %s %d %s %s node=%q created=%d bound=%d gate=%q leftout=%v extra=%v leaving=%v succeeded=%v rank=%d%s controller=%v fault=%v", m.Name, m.Scheduler,
			m.Priority, m.Preemption, describeClaims(m.Claims), m.Node, m.Created, m.Bound, m.Gate, m.LeftOut, m.Extra, m.Leaving, m.Succeeded, m.Rank, m.Role, m.Controller, m.Fault)
	}
	return out.String()
}

func describeClaims(c Claims) string {
	size := "silent"
	if c.Size != nil {
		size = fmt.Sprint(*c.Size)
	}
	return fmt.Sprintf("size %s, %s, queue %q", size, c.Topology, c.Queue)
}
