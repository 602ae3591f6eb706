package engine

import (
	"fmt"
	"time"
)

// DefaultBindings is how many bindings are under way at once, unless a flag says
// otherwise. With the watches of a scheduler they fit on one connection, which carries
// 100 requests; half as many keep a server as busy.
const DefaultBindings = 48

// DefaultScheduledEvents is how many events a second say that a plain pod was placed,
// unless a flag says otherwise; maxScheduledEvents is what a flag may say.
const (
	DefaultScheduledEvents = 10
	maxScheduledEvents     = 10_000
)

// Options are Berth's own flags.
type Options struct {
	// GangGracePeriod is how long a gang that is bound by half may make no progress
	// before its bound pods are evicted.
	GangGracePeriod time.Duration
	// Bindings is how many bindings are under way at once.
	Bindings int
	// ScheduledEventsPerSecond is how many events say that a plain pod was placed.
	ScheduledEventsPerSecond int
	// ReplaceDefault lets a profile be named default-scheduler.
	ReplaceDefault bool
}

// Validate reports options that make no sense.
func (o *Options) Validate() error {
	if o.GangGracePeriod < time.Second {
		return fmt.Errorf("--gang-grace-period=%s is too short to finish a gang in; give at least 1s", o.GangGracePeriod)
	}
	if o.Bindings < 1 {
		return fmt.Errorf("--bindings-in-flight=%d must be at least 1", o.Bindings)
	}
	if o.ScheduledEventsPerSecond < 0 || o.ScheduledEventsPerSecond > maxScheduledEvents {
		return fmt.Errorf("--scheduled-events-per-second=%d must be from 0, for none, to %d", o.ScheduledEventsPerSecond, maxScheduledEvents)
	}
	return nil
}
