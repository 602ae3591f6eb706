package engine

import (
	"fmt"
	"time"

	"github.com/berth-dev/berth/pkg/core/admission"
)

// DefaultBindings is how many bindings are under way at once, unless a flag says
// otherwise. With the watches of a scheduler they fit on one connection, which carries
// 100 requests; half as many keep a server as busy.
const DefaultBindings = 48

// DefaultRepairWindow is for how long room is kept for the pods that a gang lost, unless a flag
// says otherwise: for longer than a pod stays on a node that is unreachable, which is 5 minutes
// by default, and than the controller of Jobs waits before it makes a pod again: 10 s after the
// first failure, twice as long with each further one, and 10 minutes after seven
// (DefaultJobPodFailureBackOff and MaxJobPodFailureBackOff in k8s.io/kubernetes/pkg/controller/job).
const DefaultRepairWindow = 12 * time.Minute

// DefaultScheduledEvents is how many events a second say that a plain pod was placed,
// unless a flag says otherwise; maxScheduledEvents is what a flag may say.
const (
	DefaultScheduledEvents = 10
	maxScheduledEvents     = 10_000
)

// DefaultQueueWindow is how many gangs and plain pods the queues admit at a time, unless a
// flag says otherwise, and DefaultQueueOvertaking how often one may be overtaken by later
// ones of its queue.
const (
	DefaultQueueWindow     = 16
	DefaultQueueOvertaking = 100
)

// DefaultNamespaceWindow is how many tries of a namespace may be under way or have failed in a
// round, where there are no queues, unless a flag says otherwise. A round is as short as a
// quarter of it is failed tries, so that this bounds how many stand before those of other
// namespaces, and not how many are tried in the end.
const DefaultNamespaceWindow = 64

// The values of Options.QueueAccess.
const (
	// QueuesRestricted: the namespaces that the queue says; see v1alpha1.QueueSpec.
	QueuesRestricted = "restricted"
	// QueuesOpen: everybody, whatever queues say.
	QueuesOpen = "open"
)

// queueBacklog is how many gangs of one queue may wait for room before later ones of it
// are no longer tried.
const queueBacklog = 1000

// Options are Berth's own flags.
type Options struct {
	// GangGracePeriod is how long a gang that is bound by half may make no progress
	// before its bound pods are evicted.
	GangGracePeriod time.Duration
	// RepairWindow is for how long after the last loss room is kept for members of a gang that
	// come in the place of lost ones; none with 0.
	RepairWindow time.Duration
	// OwnNodes selects the nodes that are Berth's own, by their labels: its pods go to no
	// others, and it warns of others' pods there. "" for none.
	OwnNodes string
	// Bindings is how many bindings are under way at once.
	Bindings int
	// ScheduledEventsPerSecond is how many events say that a plain pod was placed.
	ScheduledEventsPerSecond int
	// QueueWindow is how many gangs and plain pods the queues admit at a time, and
	// QueueOvertaking how often one may be overtaken by later ones of its queue.
	QueueWindow     int
	QueueOvertaking int
	// NamespaceWindow is how many tries of a namespace may be under way or have failed in a
	// round, where there are no queues.
	NamespaceWindow int
	// QueueAccess says who may use queues that are guaranteed something: QueuesRestricted or
	// QueuesOpen. It is a flag, and no field of a queue: whether those who share a cluster
	// trust each other is a matter of the cluster. Whoever may write one queue must not be
	// able to open the others, and there is no object that is the root of all.
	QueueAccess string
	// WebPage serves a page for people, for those who may get the paths below it.
	WebPage bool
	// ReplaceDefault lets a profile be named default-scheduler.
	ReplaceDefault bool
}

// DefaultOptions are those without flags.
func DefaultOptions() *Options {
	return &Options{
		GangGracePeriod: time.Minute, RepairWindow: DefaultRepairWindow, Bindings: DefaultBindings, ScheduledEventsPerSecond: DefaultScheduledEvents,
		QueueWindow: DefaultQueueWindow, QueueOvertaking: DefaultQueueOvertaking,
		NamespaceWindow: DefaultNamespaceWindow, QueueAccess: QueuesRestricted,
	}
}

// Validate reports options that make no sense.
func (o *Options) Validate() error {
	if o.GangGracePeriod < time.Second {
		return fmt.Errorf("--gang-grace-period=%s is too short to finish a gang in; give at least 1s", o.GangGracePeriod)
	}
	if o.RepairWindow < 0 {
		return fmt.Errorf("--repair-window=%s must be at least 0, with which no room is kept", o.RepairWindow)
	}
	if _, err := ownNodes(o.OwnNodes); err != nil {
		return err
	}
	if o.Bindings < 1 {
		return fmt.Errorf("--bindings-in-flight=%d must be at least 1", o.Bindings)
	}
	if o.ScheduledEventsPerSecond < 0 || o.ScheduledEventsPerSecond > maxScheduledEvents {
		return fmt.Errorf("--scheduled-events-per-second=%d must be from 0, for none, to %d", o.ScheduledEventsPerSecond, maxScheduledEvents)
	}
	if o.QueueWindow < 1 {
		return fmt.Errorf("--queue-window=%d must be at least 1", o.QueueWindow)
	}
	if o.QueueOvertaking < 0 {
		return fmt.Errorf("--queue-overtaking=%d must be at least 0, with which nobody is overtaken", o.QueueOvertaking)
	}
	if o.NamespaceWindow < 1 {
		return fmt.Errorf("--namespace-window=%d must be at least 1", o.NamespaceWindow)
	}
	if o.QueueAccess != QueuesRestricted && o.QueueAccess != QueuesOpen {
		return fmt.Errorf("--queue-access=%s must be %s, for the namespaces that queues say, or %s, for all", o.QueueAccess, QueuesRestricted, QueuesOpen)
	}
	return nil
}

// admission bounds what queues admit.
func (o *Options) admission() admission.Config {
	return admission.Config{Window: o.QueueWindow, Overtaking: o.QueueOvertaking, Backlog: queueBacklog}
}
