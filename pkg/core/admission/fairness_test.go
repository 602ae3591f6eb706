package admission

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// cluster is a pool of GPUs on which gangs run for a time, and queues that always have
// gangs waiting.
type cluster struct {
	t        *testing.T
	r        *rand.Rand
	admit    *Admission
	now      quota.Time
	free     quota.Amount
	running  ends
	made     int
	runs     map[string]time.Duration
	served   map[quota.QueueID]float64 // GPU-seconds
	largest  int
	longest  time.Duration
	backfill bool
}

// end is when a gang ends.
type end struct {
	at   quota.Time
	gang Gang
}

type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(end)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// queue adds a gang of a random size that will run for a random time.
func (c *cluster) queue(q quota.QueueID) {
	c.made++
	g := Gang{Name: fmt.Sprintf("gang-%d", c.made), Queue: q, Arrived: c.now, Asks: quota.Vector{quota.Amount(1 + c.r.IntN(c.largest))}}
	if err := c.admit.Push(g); err != nil {
		c.t.Fatal(err)
	}
	c.runs[g.Name] = 1 + time.Duration(c.r.Int64N(int64(c.longest)))
}

// fill places gangs until one has no room. It then keeps the room for that one, or with
// backfill goes on with the others.
func (c *cluster) fill() {
	for {
		g, ok := c.admit.Next(c.now)
		if !ok {
			return
		}
		if g.Asks[0] > c.free {
			c.admit.Refused(g.Name)
			if c.backfill {
				continue
			}
			return
		}
		c.free -= g.Asks[0]
		if err := c.admit.Charge(c.now, g.Queue, g.Asks); err != nil {
			c.t.Fatal(err)
		}
		c.admit.Placed(g.Name)
		heap.Push(&c.running, end{c.now + quota.Time(c.runs[g.Name]), g})
		delete(c.runs, g.Name)
		c.queue(g.Queue)
	}
}

// run goes on until an instant, and counts what queues are served.
func (c *cluster) run(until quota.Time) {
	for c.fill(); len(c.running) > 0 && c.running[0].at <= until; c.fill() {
		ended := heap.Pop(&c.running).(end)
		c.count(ended.at)
		c.free += ended.gang.Asks[0]
		if err := c.admit.Release(c.now, ended.gang.Queue, ended.gang.Asks); err != nil {
			c.t.Fatal(err)
		}
		c.admit.Retry()
	}
	c.count(until)
}

// count goes on to an instant without a change.
func (c *cluster) count(to quota.Time) {
	for q := range c.served {
		c.served[q] += float64(c.admit.Used().Of(q)[0]) * time.Duration(to-c.now).Seconds()
	}
	c.now = to
}

func newCluster(t *testing.T, tree *quota.Tree, gpus quota.Amount, config Config) *cluster {
	return &cluster{
		t:      t,
		r:      rand.New(rand.NewPCG(23, 24)),
		admit:  New(tree, quota.Vector{gpus}, config),
		free:   gpus,
		runs:   map[string]time.Duration{},
		served: map[quota.QueueID]float64{},
	}
}

// Over a long time, a saturated cluster is divided by weight, whatever gangs there are.
func TestQueuesAreServedByWeight(t *testing.T) {
	tests := []struct {
		gpus     quota.Amount
		hours    int
		halfLife time.Duration
		backfill bool
	}{
		{gpus: 512, hours: 2000},
		{gpus: 512, hours: 2000, halfLife: time.Hour},
		{gpus: 512, hours: 2000, halfLife: 24 * time.Hour},
		// Backfill favours small gangs, and queues that have one next; less so the more gangs run.
		{gpus: 4096, hours: 400, backfill: true},
		{gpus: 4096, hours: 400, halfLife: 24 * time.Hour, backfill: true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d GPUs, half-life %s, backfill %v", test.gpus, test.halfLife, test.backfill), func(t *testing.T) {
			names := []string{"a", "b", "c"}
			var specs []quota.Spec
			for i, name := range names {
				specs = append(specs, quota.Spec{Name: name, HalfLife: test.halfLife, Resources: map[string]quota.Quota{"gpu": {Weight: new(quota.Amount(i + 1))}}})
			}
			tree, _ := quota.NewTree(specs, []string{"gpu"})
			c := newCluster(t, tree, test.gpus, Config{Window: 1, Overtaking: 4, Backlog: 2})
			c.largest, c.longest, c.backfill = 64, 2*time.Hour, test.backfill
			for _, name := range names {
				q, _ := tree.Queue(name)
				c.served[q] = 0
				for range 20 {
					c.queue(q)
				}
			}
			c.run(quota.Time(test.hours) * quota.Time(time.Hour))
			all := 0.0
			for _, served := range c.served {
				all += served
			}
			if part := all / float64(test.gpus) / float64(test.hours) / 3600; part < 0.94 || part > 1 {
				t.Errorf("%.3f of the cluster was used: it is not saturated", part)
			}
			for i, name := range names {
				q, _ := tree.Queue(name)
				got, want := c.served[q]/all, float64(i+1)/6
				if off := got/want - 1; math.Abs(off) > 0.03 {
					t.Errorf("queue %s was served %.4f of all, want %.4f: %+.1f %%", name, got, want, 100*off)
				}
			}
		})
	}
}

// One of two equal queues has had everything for long, and then the other comes back: it
// gets (1 + e^(-2t/tau)) / 2, and its average is (1 - e^(-2t/tau)) / 2.
func TestAQueueComesBack(t *testing.T) {
	const gpus, halfLife, tolerance = 1024, 10 * time.Hour, 0.02
	tau := halfLife.Hours() / math.Ln2
	tree, _ := quota.NewTree([]quota.Spec{{Name: "a", HalfLife: halfLife}, {Name: "b", HalfLife: halfLife}}, []string{"gpu"})
	c := newCluster(t, tree, gpus, Config{Window: 1, Overtaking: 4, Backlog: 1})
	c.largest, c.longest = 4, 20*time.Minute
	a, _ := tree.Queue("a")
	b, _ := tree.Queue("b")
	c.admit.Averages().Set(b, 0, 0, quota.Mean{Whole: gpus})
	for range 10 {
		c.queue(b)
	}
	back := quota.Time(time.Hour)
	c.run(back)
	for range 10 {
		c.queue(a)
	}
	for hour := 1; hour <= 30; hour++ {
		c.run(back + quota.Time(hour)*quota.Time(time.Hour))
		decay := math.Exp(-2 * float64(hour) / tau)
		amount := c.admit.Used().Of(a)[0]
		used := float64(amount) / gpus
		mean := float64(c.admit.Averages().Of(a, 0, c.now, amount).Whole) / gpus
		if math.Abs(used-(1+decay)/2) > tolerance || math.Abs(mean-(1-decay)/2) > tolerance {
			t.Errorf("after %d h, it uses %.3f, want %.3f; on average %.3f, want %.3f", hour, used, (1+decay)/2, mean, (1-decay)/2)
		}
	}
}
