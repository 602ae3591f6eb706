package admission

import (
	"testing"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// What is said of a queue is what was pushed into it, whatever became of it since.
func TestWhoWaits(t *testing.T) {
	weight := func(n quota.Amount) map[string]quota.Quota {
		limit := quota.Amount(10)
		return map[string]quota.Quota{"gpu": {Weight: &n, Limit: &limit}}
	}
	tree, faults := quota.NewTree([]quota.Spec{{Name: "a", Resources: weight(1)}, {Name: "b", Resources: weight(2)}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	a := New(tree, quota.Vector{100}, Config{Window: 1, Overtaking: 5, Backlog: 5})
	queue := func(name string) quota.QueueID {
		id, ok := tree.Queue(name)
		if !ok {
			t.Fatalf("there is no queue %q", name)
		}
		return id
	}
	push := func(name, in string, priority int32, asks quota.Amount) {
		if err := a.Push(Gang{Name: name, Queue: queue(in), Priority: priority, Asks: quota.Vector{asks}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, n, some := a.Waiting(queue("a")); n != 0 || some || a.Position(queue("a")) != 0 {
		t.Error("somebody waits in a queue without gangs")
	}
	push("low", "a", 0, 2)
	push("high", "a", 5, 3)
	push("large", "a", 9, 11)
	push("other", "b", 0, 1)
	push("next", "b", 0, 1)
	check := func(when string, first string, n int, asked quota.Amount, position int) {
		t.Helper()
		g, count, _ := a.Waiting(queue("a"))
		if g.Name != first || count != n || a.Asked(queue("a"))[0] != asked || a.Position(queue("a")) != position {
			t.Errorf("%s: %q is the first of %d that ask for %d, at place %d; want %q of %d, %d, %d", when, g.Name, count, a.Asked(queue("a"))[0], a.Position(queue("a")), first, n, asked, position)
		}
	}
	a.Next(0) // brings the order up to date, and lets one in
	check("the gang above the limit is first, and waits for ever", "large", 3, 16, 2)
	if !a.WithinLimits("low") || a.WithinLimits("large") || a.WithinLimits("nobody") {
		t.Error("limits are not those of the queue")
	}
	a.Gone("large")
	check("it is gone", "high", 2, 5, 2)
	a.Gone("low")
	a.Gone("high")
	check("all are", "", 0, 0, 0)
	if a.Overtaken("other") != 0 || a.Overtaken("nobody") != 0 {
		t.Error("nobody was overtaken")
	}
}
