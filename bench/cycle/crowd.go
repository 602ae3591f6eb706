package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine"
)

// crowd is gangs that wait in queues and run on nodes, and the whole of Berth, which an API
// server in memory tells of them. For each gang that gets its place, the one that has run
// for longest ends, and another comes to the queue of that one: so as many wait as in the
// beginning, and there is room.
type crowd struct {
	crowdSetup
	forest    *forest
	generator *generator
	server    *rig.Server
	embedded  *engine.Embedded
	sched     *scheduler.Scheduler
	stop      context.CancelFunc

	// gangs are all that wait or run by the names of their pods. running are those that run,
	// the oldest first.
	mu      sync.Mutex
	gangs   map[string]*workload
	running []*workload
	// whole are gangs that got their places, and gone those of which the last pod was evicted,
	// that were not dealt with. placed is how many got theirs, and first when the first of all
	// did.
	whole  []*workload
	gone   []*workload
	placed int
	first  time.Time
	more   chan struct{}
	// refused are gangs that were tried and not placed since the last reset: whoever a limit
	// holds is tried now and then, for others may be evicted for it.
	refused map[*workload]bool
	// chosen are how long choices took, of those in which somebody was admitted or nobody was.
	chosen []time.Duration
}

// crowdSetup says what a crowd is.
type crowdSetup struct {
	nodes, queues, pending int
	// unqueued has the same gangs come to a cluster without any Queue object.
	unqueued bool
	// stops stops the scheduling loop; nil if it runs on.
	stops *stepGate
}

// crowdLoad is the part of the GPUs that gangs have that run.
const crowdLoad = 0.7

// newCrowd makes a crowd that nobody was told of yet.
func newCrowd(s crowdSetup) (*crowd, error) {
	c := &crowd{crowdSetup: s, forest: newForest(s.queues, s.nodes), generator: newGenerator(), gangs: map[string]*workload{}, refused: map[*workload]bool{}, more: make(chan struct{}, 1)}
	var objects []*v1alpha1.Queue
	if !s.unqueued {
		objects = c.forest.objects
	}
	var err error
	if c.server, err = rig.NewServer(s.nodes, objects, c.bound); err != nil {
		return nil, err
	}
	c.server.OnEvict(c.evicted)
	places, due := newCounter(s.nodes, 0), crowdLoad*float64(s.nodes*rig.GPUsPerNode)
	for used, i := 0, 0; float64(used) < due; i++ {
		t := c.generator.next(c.forest.leaf(i))
		for _, p := range t.pods {
			if p.Spec.NodeName, err = places.Next(p); err != nil {
				return nil, fmt.Errorf("placing those that run from the beginning: %w", err)
			}
		}
		c.running, used = append(c.running, t), used+t.gpus
		c.come(t)
	}
	for i := range s.pending {
		c.come(c.generator.next(c.forest.leaf(i)))
	}
	return c, nil
}

// come has a gang be created.
func (c *crowd) come(t *workload) {
	c.mu.Lock()
	for _, p := range t.pods {
		c.gangs[p.Name] = t
	}
	c.mu.Unlock()
	c.server.Set(t.pods...)
}

// end has a gang end.
func (c *crowd) end(t *workload) {
	c.mu.Lock()
	for _, p := range t.pods {
		delete(c.gangs, p.Name)
	}
	c.mu.Unlock()
	c.server.Delete(t.pods...)
}

// bound hears of a pod that was bound.
func (c *crowd) bound(pod *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.gangs[pod.Name]
	if t.bound++; t.bound < len(t.pods) {
		return
	}
	c.whole = append(c.whole, t)
	c.placed++
	if c.first.IsZero() {
		c.first = time.Now()
	}
	c.wake()
}

// evicted hears of a pod that was evicted.
func (c *crowd) evicted(pod *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.gangs[pod.Name]
	if t == nil {
		return // it ends at this moment
	}
	if t.evicted++; t.evicted == len(t.pods) {
		c.gone = append(c.gone, t)
		c.wake()
	}
}

// wake has turn go on.
func (c *crowd) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// start has Berth begin, as its command does: it lists all there is, and takes it in.
func (c *crowd) start() (err error) {
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	var who *schedulers.Scheduler
	if who, c.embedded, err = schedulers.NewEngine(ctx, c.server.Clients()); err != nil {
		return err
	}
	c.embedded.Queues().OnChoice(func(took time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.chosen = append(c.chosen, took)
	})
	profile, err := who.Profile()
	if err != nil {
		return err
	}
	factory := c.embedded.Informers()
	c.sched, err = scheduler.New(ctx, c.embedded.Client(), factory, nil, c.embedded.Recorders(),
		scheduler.WithProfiles(*profile), scheduler.WithFrameworkOutOfTreeRegistry(who.Plugins))
	if err != nil {
		return err
	}
	if err := who.Attach(c.sched); err != nil {
		return err
	}
	if c.stops != nil {
		c.stops.install(ctx, c.sched)
		c.noteRefusals()
	}
	factory.StartWithContext(ctx)
	factory.WaitForCacheSyncWithContext(ctx)
	if err := c.sched.WaitForHandlersSync(ctx); err != nil {
		return err
	}
	go c.sched.Run(ctx)
	return nil
}

// noteRefusals notes gangs that are not placed.
func (c *crowd) noteRefusals() {
	handle := c.sched.FailureHandler
	c.sched.FailureHandler = func(ctx context.Context, schedFramework framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, nominated *fwk.NominatingInfo, start time.Time) {
		c.mu.Lock()
		c.refused[c.gangs[info.Pod.Name]] = true
		c.mu.Unlock()
		handle(ctx, schedFramework, info, status, nominated, start)
	}
}

// turn waits until gangs got their places, and has others come for them.
func (c *crowd) turn() error {
	select {
	case <-c.more:
	case <-time.After(crowdPatience):
		return errors.New("nobody is placed any more")
	}
	c.replace()
	return nil
}

// replace has gangs run that got their places, ends as many, and has as many come, as well as
// those that were evicted.
func (c *crowd) replace() (begun, ended, come []*workload) {
	c.mu.Lock()
	begun, gone := c.whole, c.gone
	c.whole, c.gone = nil, nil
	c.mu.Unlock()
	leave := func(t *workload) {
		c.end(t)
		next := c.generator.next(t.queue)
		c.come(next)
		ended, come = append(ended, t), append(come, next)
	}
	for _, t := range begun {
		c.server.Start(t.pods...)
		c.running = append(c.running, t)
		first := c.running[0]
		c.running = c.running[1:]
		leave(first)
	}
	for _, t := range gone {
		if i := slices.Index(c.running, t); i >= 0 {
			c.running = slices.Delete(c.running, i, i+1)
			leave(t)
		}
	}
	return begun, ended, come
}

// wait waits until something is so.
func (c *crowd) wait(what string, so func() bool) error {
	for end := time.Now().Add(crowdPatience); !so(); {
		if time.Now().After(end) {
			return fmt.Errorf("after %s it is not so that %s", crowdPatience, what)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// has reports whether the scheduler has any pod of a gang on a node, and whether it has all,
// bound.
func (c *crowd) has(t *workload) (some, all bool) {
	all = true
	for _, p := range t.pods {
		_, err := c.sched.Cache.GetPod(p)
		assumed, _ := c.sched.Cache.IsAssumedPod(p) // it fails for a pod without a UID
		some, all = some || err == nil, all && err == nil && !assumed
	}
	return some, all
}

// leaves reports whether a gang is evicted.
func (c *crowd) leaves(t *workload) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.evicted > 0
}

// waits reports whether the scheduling queue has all pods of a gang.
func (c *crowd) waits(t *workload) bool {
	group := gang.Key{Namespace: rig.Namespace, Dialect: dialect.Berth, Name: t.name}.GroupName()
	_, has := c.sched.SchedulingQueue.GetPodGroup(group, rig.Namespace, fwk.PodGroupKeyType)
	for _, p := range t.pods {
		_, hasPod := c.sched.SchedulingQueue.GetPod(p.Name, p.Namespace, &corev1.PodSchedulingGroup{PodGroupName: &group})
		has = has && hasPod
	}
	return has
}
