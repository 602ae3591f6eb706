package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// load is an admission with so many queues, in departments of 30 with a limit, and ten gangs
// a queue.
func load(queues int, limit quota.Amount, halfLife time.Duration) (*Admission, []quota.QueueID, *rand.Rand) {
	r := rand.New(rand.NewPCG(1, 1))
	var specs []quota.Spec
	for i := range queues {
		parent := fmt.Sprintf("dept-%d", i/30)
		if i%30 == 0 {
			specs = append(specs, quota.Spec{Name: parent, HalfLife: halfLife, Resources: map[string]quota.Quota{"gpu": {Limit: &limit}}})
		}
		specs = append(specs, quota.Spec{Name: fmt.Sprintf("queue-%d", i), Parent: parent, Resources: map[string]quota.Quota{
			"gpu": {Guaranteed: new(quota.Amount(8)), Weight: new(quota.Amount(1 + i%5))},
		}})
	}
	tree, _ := quota.NewTree(specs, []string{"gpu", "cpu", "memory", "pods"})
	a := New(tree, quota.Vector{8 * 1000, 192_000 * 1000, 2 << 50, 110_000}, Config{Window: 16, Overtaking: 16, Backlog: 8})
	var ids []quota.QueueID
	for i := range queues {
		id, _ := tree.Queue(fmt.Sprintf("queue-%d", i))
		ids = append(ids, id)
	}
	for i := range 10 * queues {
		if err := a.Push(gang(r, i, ids)); err != nil {
			panic(err)
		}
	}
	return a, ids, r
}

// gang returns the n-th gang, of a random queue and size.
func gang(r *rand.Rand, n int, queues []quota.QueueID) Gang {
	gpus := quota.Amount(1 << r.IntN(7))
	return Gang{
		Name:     fmt.Sprintf("ns/gang-%d", n),
		Queue:    queues[r.IntN(len(queues))],
		Priority: int32(r.IntN(3)),
		Arrived:  quota.Time(n),
		Asks:     quota.Vector{gpus, 8000 * gpus, gpus << 36, gpus},
	}
}

// One choice: the next gang is admitted, charged and placed, what was refused is tried again,
// and another gang comes. The oldest go when nobody may be admitted: where the limits of
// departments bind, most queues are in one that has no room left.
func BenchmarkChoose(b *testing.B) {
	for _, queues := range []int{10, 100, 1000, 5000} {
		for _, limit := range []quota.Amount{250, quota.Most} {
			for _, halfLife := range []time.Duration{0, time.Hour} {
				b.Run(fmt.Sprintf("queues=%d/limited=%v/half=%s", queues, limit < quota.Most, halfLife), func(b *testing.B) {
					choose(b, queues, limit, halfLife)
				})
			}
		}
	}
}

func choose(b *testing.B, queues int, limit quota.Amount, halfLife time.Duration) {
	a, ids, r := load(queues, limit, halfLife)
	var running []Gang
	now, made := quota.Time(0), 10*queues
	end := func() {
		if err := a.Release(now, running[0].Queue, running[0].Asks); err != nil {
			b.Fatal(err)
		}
		running = running[1:]
	}
	b.ReportAllocs()
	for b.Loop() {
		now += quota.Time(time.Millisecond)
		g, ok := a.Next(now)
		for !ok {
			if len(running) == 0 {
				b.Fatal("there is no next gang: there is nothing to measure")
			}
			end()
			g, ok = a.Next(now)
		}
		if err := a.Charge(now, g.Queue, g.Asks); err != nil {
			b.Fatal(err)
		}
		a.Placed(g.Name)
		for running = append(running, g); len(running) > queues; {
			end()
		}
		a.Retry()
		made++
		if err := a.Push(gang(r, made, ids)); err != nil {
			b.Fatal(err)
		}
	}
}

// The order is made anew: once in 256th of a half-life, or when capacity changes.
func BenchmarkRefresh(b *testing.B) {
	for _, queues := range []int{100, 1000} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			a, _, _ := load(queues, quota.Most, time.Hour)
			for b.Loop() {
				a.stale = true
				a.refresh(0)
			}
		})
	}
}

// All that is tried is refused, one after the other.
func BenchmarkRefuse(b *testing.B) {
	a, _, _ := load(1000, quota.Most, time.Hour)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		g, ok := a.Next(0)
		if !ok {
			a.Retry()
			continue
		}
		a.Refused(g.Name)
		n++
	}
	b.ReportMetric(float64(n)/float64(b.N), "refused/op")
}
