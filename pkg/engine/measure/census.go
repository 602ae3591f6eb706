package measure

import (
	"context"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

const (
	// censusPeriod is how often is counted, and censusShare what part of the time counting
	// may take: one in so many.
	censusPeriod = 10 * time.Second
	censusShare  = 300
)

// Census counts what metrics say of the cluster as a whole, beside scheduling and at a pace
// of its own: a scrape reads what it found last, and costs the same whatever the cluster is.
// Only the leader counts.
type Census struct {
	clock  clock.WithTicker
	fast   *fastpath.Path
	demand *Demand
	// waits says why gangs wait, and queues which there are.
	waits  Reasons
	queues func() []string

	found atomic.Pointer[counts]
	// known are the queues of which a histogram is served.
	known sets.Set[string]
}

// Reasons says why gangs wait.
type Reasons interface {
	// HeldFor returns the reason for which a gang waits that was told none yet.
	HeldFor(who Who) string
	// NeverFit returns the gangs that the cluster could not hold at all.
	NeverFit() sets.Set[Who]
}

func NewCensus(c clock.WithTicker, fast *fastpath.Path, d *Demand, why Reasons, queues func() []string) *Census {
	return &Census{clock: c, fast: fast, demand: d, waits: why, queues: queues}
}

// counts is what one census found.
type counts struct {
	at      time.Time
	took    time.Duration
	held    map[string]int
	asked   map[corev1.ResourceName]int64
	pending map[reasonKey]int64
	devices fastpath.Census
}

// Run counts until the context is done.
func (c *Census) Run(ctx context.Context) {
	for {
		took := c.Count()
		select {
		case <-ctx.Done():
			c.found.Store(nil)
			return
		case <-c.clock.After(max(censusPeriod, censusShare*took)):
		}
	}
}

// Count counts once, and returns how long it took.
func (c *Census) Count() time.Duration {
	start := c.clock.Now()
	found := &counts{at: start, held: c.held(), asked: c.demand.Asked(), devices: c.fast.Census()}
	found.pending = c.pending(found.devices)
	c.follow()
	found.took = c.clock.Since(start)
	c.found.Store(found)
	return found.took
}

// held returns how many gangs wait, by the reason that they were told last. Those that were told
// none yet are asked for theirs. What the cluster could not hold is told as other gangs that fit
// nowhere.
func (c *Census) held() map[string]int {
	out, silent := c.demand.Held()
	for _, who := range silent {
		out[waitreason.Label(c.waits.HeldFor(who))]++
	}
	for who := range c.waits.NeverFit() {
		if c.demand.Told(who) == string(gang.Unschedulable) {
			out[string(gang.Unschedulable)]--
			out[string(queueing.NeverFits)]++
		}
	}
	maps.DeleteFunc(out, func(_ string, n int) bool { return n <= 0 })
	return out
}

// pending returns what waiting pods ask for, by what they were told last.
func (c *Census) pending(devices fastpath.Census) map[reasonKey]int64 {
	out := c.demand.Pending()
	for _, d := range devices.Devices {
		out[reasonKey{d.Resource, string(gang.Unschedulable)}] += 0 // an autoscaler must see that none wait
	}
	return out
}

// follow has a histogram for each queue that there is, and none for those that are gone.
func (c *Census) follow() {
	now := sets.New(c.queues()...)
	for name := range now.Difference(c.known) {
		QueuePlaced.WithLabelValues(name)
	}
	for name := range c.known.Difference(now) {
		QueuePlaced.Delete(map[string]string{"queue": name})
	}
	c.known = now
}

// sizeName names a size of pods in devices.
func sizeName(size int32) string { return strconv.Itoa(int(size)) }
