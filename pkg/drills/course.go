package drills

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

const (
	// patience is how long a drill may take until all gangs are whole again.
	patience = 5 * time.Minute
	// interval is how often the ledger is asked.
	interval = 5 * time.Millisecond
	// calm is for how long Berth has told nothing more when a drill ends.
	calm = 3 * time.Second
	// longestWait is the longest wait between lines of progress.
	longestWait = 15 * time.Second
)

// A course is a cluster with gangs, and the drill that is being played.
type course struct {
	options  Options
	client   kubernetes.Interface
	dynamic  dynamic.Interface
	cluster  *localcluster.Cluster
	running  *localcluster.Running
	replicas *replicas
	observer *observer
	sizes    map[string]int // gangs that there are to be

	// Of the drill that is being played:
	outcome *Outcome
	start   time.Time
	before  map[string]pod  // pods that ran when it began, by UID
	down    map[string]bool // nodes on which no pod counts as running
	lost    map[string]bool // of those before, the pods that were lost
}

// say tells the progress.
func (c *course) say(format string, args ...any) { fmt.Fprintf(c.options.Log, format+"\n", args...) }

// moment notes something that happens in the drill.
func (c *course) moment(format string, args ...any) {
	m := Moment{time.Since(c.start), fmt.Sprintf(format, args...)}
	c.outcome.Timeline = append(c.outcome.Timeline, m)
	c.say("  %6.1f s  %s", m.At.Seconds(), m.What)
}

// play plays one drill.
func (c *course) play(ctx context.Context, d Drill) Outcome {
	c.outcome = &Outcome{Name: d.Name, Title: d.Title, Does: d.Does}
	c.begin()
	if err := d.play(ctx, c); err != nil {
		c.outcome.Failed = err.Error()
	}
	c.judge()
	return *c.outcome
}

// begin has a drill begin now. What was before is forgotten.
func (c *course) begin() {
	c.start, c.down, c.before, c.lost = time.Now(), map[string]bool{}, map[string]pod{}, map[string]bool{}
	c.outcome.Timeline = nil
	_ = c.observer.check(func(l *ledger) {
		l.broken = nil
		l.halfBound(c.start)
		for uid, p := range l.pods {
			if p.running {
				c.before[uid] = p
			}
		}
	})
}

// judge reads the outcome off the ledger.
func (c *course) judge() {
	o := c.outcome
	for _, n := range c.observer.noticesSince(c.start) {
		o.Timeline = append(o.Timeline, Moment{n.at.Sub(c.start), "Berth: " + n.reason + ": " + n.note})
		if at := n.at.Sub(c.start); o.Told == 0 && (n.reason == "GangShort" || n.reason == "DeviceUnhealthy") {
			o.Told = at
		}
	}
	for _, n := range c.replicas.since(c.start) {
		o.Timeline = append(o.Timeline, Moment{n.at.Sub(c.start), n.note})
	}
	slices.SortStableFunc(o.Timeline, func(a, b Moment) int { return int(a.At - b.At) })
	_ = c.observer.check(func(l *ledger) {
		var gang string
		if o.HalfBound, gang = l.halfBound(time.Now()); o.HalfBound > o.Away+HalfBoundLimit {
			l.breaks("gang %s was half bound for %.1f s", gang, o.HalfBound.Seconds())
		}
		c.count(l)
		o.Broken = slices.Clone(l.broken)
	})
}

// count notes which pods have been lost until now. Those of gangs that were withdrawn since are
// none: it is counted before, when the gangs are whole.
func (c *course) count(l *ledger) {
	for uid, p := range c.before {
		now, stays := l.pods[uid]
		if gone := !stays || !now.running || now.leaving || c.down[now.node]; !gone || c.lost[uid] || c.sizes[p.gang] == 0 {
			continue
		}
		c.lost[uid] = true
		c.outcome.Lost++
		c.outcome.Work += c.start.Sub(p.began) * time.Duration(p.gpus)
	}
}

// fault has something go wrong from which gangs are to be made whole while it lasts, on nodes
// whose pods count as lost; and puts it right then.
func (c *course) fault(ctx context.Context, f drill.Fault, down []string, what string) error {
	for _, name := range down {
		c.down[name] = true
	}
	c.moment("%s", what)
	err := f.Apply(ctx)
	if err == nil {
		err = c.untilWhole(ctx)
	}
	under, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if undone := f.Undo(under); undone != nil {
		return errors.Join(err, fmt.Errorf("putting it right: %w", undone))
	}
	if err != nil {
		return err
	}
	clear(c.down)
	c.moment("the fault is put right")
	return c.settle(ctx)
}

// untilWhole waits until all gangs are whole without the nodes that are down, and notes when.
func (c *course) untilWhole(ctx context.Context) error {
	err := c.await(ctx, "all gangs are whole", func(l *ledger) string { return c.lacking(l) })
	if err != nil {
		return err
	}
	c.outcome.Whole = time.Since(c.start)
	c.moment("all gangs are whole")
	return c.observer.check(func(l *ledger) {
		c.count(l)
		for _, gang := range sortedKeys(c.sizes) {
			l.inOneRack(gang, l.of(gang, c.down))
		}
	})
}

// lacking says which gang is not whole, "" if all are.
func (c *course) lacking(l *ledger) string {
	for _, gang := range sortedKeys(c.sizes) {
		if has := len(l.of(gang, c.down)); has != c.sizes[gang] {
			return fmt.Sprintf("%s has %d of %d pods", gang, has, c.sizes[gang])
		}
	}
	return ""
}

// settle waits until all is as it was before a drill.
func (c *course) settle(ctx context.Context) error {
	return c.await(ctx, "all nodes are ready, all gangs whole and no pods leaving", func(l *ledger) string {
		if unready := l.unready(); len(unready) > 0 {
			return fmt.Sprintf("%d nodes are not ready or have taints: %s, ...", len(unready), unready[0])
		}
		if l.leaving() {
			return "a pod is leaving"
		}
		if lack := c.lacking(l); lack != "" {
			return lack
		}
		if len(c.replicas.now()) != replicaCount || c.replicas.leader() == nil {
			return "a replica of the scheduler is not there, or none leads"
		}
		if n := len(c.observer.notices); n > 0 && time.Since(c.observer.notices[n-1].at) < calm {
			return "Berth has just told something"
		}
		return ""
	})
}

// await waits until the ledger lacks nothing, tells meanwhile what it lacks, and notes when the
// first node was not ready.
func (c *course) await(ctx context.Context, what string, lacks func(*ledger) string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	said, at := "", time.Now()
	for {
		if first := c.observer.firstUnready(); c.outcome.Seen == 0 && first.After(c.start) {
			c.outcome.Seen = first.Sub(c.start)
			c.moment("a node is not ready, by its condition")
		}
		c.replicas.leader()
		lack := ""
		if err := errors.Join(c.observer.check(func(l *ledger) { lack = lacks(l) }), c.replicas.failure()); err != nil {
			return err
		}
		if lack == "" {
			return nil
		}
		if lack != said && time.Since(at) > time.Second || time.Since(at) > longestWait {
			c.say("  %6.1f s  ... %s", time.Since(c.start).Seconds(), lack)
			said, at = lack, time.Now()
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("after %s it is not so that %s: %s", patience, what, lack)
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// places returns the nodes of a gang, and the rack of these.
func (c *course) places(gang string) (nodes []string, rack string) {
	_ = c.observer.check(func(l *ledger) {
		for _, p := range l.of(gang, nil) {
			nodes, rack = append(nodes, p.node), l.nodes[p.node].rack
		}
	})
	slices.Sort(nodes)
	return nodes, rack
}

// nodesThat returns the names of the nodes of a kind.
func (c *course) nodesThat(are func(node) bool) (nodes []string) {
	_ = c.observer.check(func(l *ledger) {
		for _, name := range sortedKeys(l.nodes) {
			if are(l.nodes[name]) {
				nodes = append(nodes, name)
			}
		}
	})
	return nodes
}

// inRack returns the nodes of a rack.
func (c *course) inRack(rack string) []string {
	return c.nodesThat(func(n node) bool { return n.rack == rack })
}

// submit makes one more gang, which fills a rack.
func (c *course) submit(ctx context.Context, name string, asks ask) error {
	if _, err := c.client.BatchV1().Jobs(namespace).Create(ctx, job(name, rackSize, c.options.seconds(), asks), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating job %q: %w", name, err)
	}
	c.sizes[name] = rackSize
	c.moment("gang %s of %d pods is submitted", name, rackSize)
	return nil
}

// submitAll makes gangs, and returns once one of their pods has a node.
func (c *course) submitAll(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := c.submit(ctx, name, ask{}); err != nil {
			return err
		}
	}
	return c.await(ctx, "a pod of "+strings.Join(names, ", ")+" has a node", func(l *ledger) string {
		for _, p := range l.pods {
			if slices.Contains(names, p.gang) && p.holds() {
				return ""
			}
		}
		return "none has"
	})
}

// withdrawAll deletes gangs that were submitted, and waits until all is as it was before.
func (c *course) withdrawAll(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := c.withdraw(ctx, name); err != nil {
			return err
		}
	}
	return c.settle(ctx)
}

// withdraw deletes a gang that was submitted, and waits until its pods are gone.
func (c *course) withdraw(ctx context.Context, name string) error {
	delete(c.sizes, name)
	background := metav1.DeletePropagationBackground
	if err := c.client.BatchV1().Jobs(namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		return fmt.Errorf("deleting job %q: %w", name, err)
	}
	return c.await(ctx, name+" is gone", func(l *ledger) string {
		for _, p := range l.pods {
			if p.gang == name {
				return "pod " + p.name + " is there"
			}
		}
		return ""
	})
}

// told waits until Berth says something of a reason about a gang.
func (c *course) told(ctx context.Context, reason, gang string) error {
	return c.await(ctx, "Berth says "+reason, func(*ledger) string {
		for _, n := range c.observer.notices {
			if !n.at.Before(c.start) && n.reason == reason && n.about(gang) {
				return ""
			}
		}
		return "Berth has not said " + reason
	})
}
