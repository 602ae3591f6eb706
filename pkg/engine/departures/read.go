package departures

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Run reads owners until the context is done. It is run by the leader alone.
func (d *Departures) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, d.queue.ShutDown)
	defer stop()
	for {
		name, shutdown := d.queue.Get()
		if shutdown {
			return
		}
		d.next(ctx, name)
		d.queue.Done(name)
	}
}

// next reads the owners of a gang if somebody is to know of them, and tells them.
func (d *Departures) next(ctx context.Context, name string) {
	first, asked, fresh := d.look(name)
	if first == nil || fresh || !asked && !d.queues.Reclaimable(first) {
		return
	}
	if !d.limiter.TryAccept() {
		d.queue.AddAfter(name, time.Second/readsPerSecond)
		return
	}
	departure, err := d.read(ctx, name)
	if err != nil {
		if ctx.Err() == nil {
			klog.FromContext(ctx).V(2).Info("The owners of a gang could not be read; they are when it is asked for", "gang", name, "err", err)
		}
		return
	}
	if workload.GangGroup(first) != "" && d.queues.Reclaimable(first) && ends(departure) {
		d.tell(ctx, name, departure)
	}
}

// look returns the first pod of a gang by name, nil if it has none, and what was said of it.
func (d *Departures) look(name string) (first *corev1.Pod, asked, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.gangs[name]
	if e == nil {
		return nil, false, false
	}
	return e.first(), e.asked, !e.read.IsZero() && d.clock.Now().Sub(e.read) < freshFor
}

func (e *entry) first() (first *corev1.Pod) {
	for _, pod := range e.pods {
		if first == nil || strings.Compare(pod.Name, first.Name) < 0 {
			first = pod
		}
	}
	return first
}

// Read returns what becomes of a gang, by its owners as they are now. Of one that has no pods
// with a controller, nothing is known.
func (d *Departures) Read(ctx context.Context, name string) (queueing.Fate, error) {
	if _, err := d.read(ctx, name); err != nil {
		return queueing.Fate{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.gangs[name]; e != nil {
		return e.fate, nil
	}
	return queueing.Fate{}, nil
}

// read reads the owners of the first pod of a gang, and keeps what follows from them.
func (d *Departures) read(ctx context.Context, name string) (dialect.Departure, error) {
	first, _, _ := d.look(name)
	if first == nil {
		return dialect.Departure{}, nil
	}
	owners, err := d.owners.Owners(ctx, first)
	if err != nil {
		return dialect.Departure{}, fmt.Errorf("reading the owners of %s: %w", workload.Called(name, ""), err)
	}
	pods := d.alike(name, first)
	departure := dialect.Depart(pods, owners, func(r schema.GroupResource) bool { return d.owners.MaySuspend(ctx, r) })
	alone := dialect.Depart(pods[:1], owners, func(schema.GroupResource) bool { return false })
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.gangs[name]; e != nil {
		e.fate, e.read, e.asked = fateOf(departure, alone), d.clock.Now(), false
		e.sequence = dialect.SequenceOf(owners, gang.KeyOf(first.Namespace, e.group).Dialect)
	}
	return departure, nil
}

// alike returns the pods of a gang that have the controller of its first, that one first.
func (d *Departures) alike(name string, first *corev1.Pod) []*corev1.Pod {
	controller, _ := dialect.Controller(first)
	pods := []*corev1.Pod{first}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.gangs[name]; e != nil {
		for _, pod := range e.pods {
			if one, _ := dialect.Controller(pod); one == controller && pod.UID != first.UID {
				pods = append(pods, pod)
			}
		}
	}
	return pods
}

// fateOf is what follows from how all pods leave, and how one does that is evicted alone.
func fateOf(all, alone dialect.Departure) queueing.Fate {
	fate := queueing.Fate{Ends: ends(all), Whole: said(alone) && (alone.Together || ends(alone))}
	if said(all) && all.Together {
		fate.Together = all.Owner.UID
	}
	return fate
}

// ends reports whether it is known that pods are not made again.
func ends(d dialect.Departure) bool { return d.Action == dialect.WouldNotSurvive && said(d) }

// said reports whether an owner says what happens to its pods.
func said(d dialect.Departure) bool {
	switch d.Code {
	case "", dialect.NoController, dialect.OwnerNotReadable, dialect.OwnerUnknown:
		return false
	}
	return true
}
