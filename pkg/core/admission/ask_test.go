package admission

import (
	"slices"
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
	a.Next(0) // brings the order up to date, and admits one
	var before []string
	for _, g := range a.Before("low", 9) {
		before = append(before, g.Name)
	}
	if !slices.Equal(before, []string{"high"}) || a.Before("high", 9) != nil || a.Before("low", 0) != nil || a.Before("nobody", 9) != nil {
		t.Errorf("%q come before the low one; want the high one, and not one that waits for ever", before)
	}
	if ahead := a.QueuesBefore(queue("a"), 9); !slices.Equal(ahead, []quota.QueueID{queue("b")}) || a.QueuesBefore(queue("b"), 9) != nil {
		t.Errorf("queues %v come before the first, want the second", ahead)
	}
	if a.Size(queue("a")) != 3 || a.Size(queue("b")) != 2 {
		t.Errorf("%d and %d wait, want 3 and 2", a.Size(queue("a")), a.Size(queue("b")))
	}
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
