package podgroups

import (
	"sync"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
)

// Bridge carries verdicts into the scheduler: an admitted gang becomes a pod group
// of the source, a held one leaves it. A pod whose group is not in the source
// waits in the scheduling queue outside of all heaps and costs no cycle.
type Bridge struct {
	groups *Source
	gate   *Gate
	// changed hears of gangs of which something is to be told.
	changed func(key gang.Key)
	// Queues hear what gangs say of their queue.
	Queues *queueing.Queues
	// Windows hear of gangs that leave.
	Windows *unqueued.Windows

	mu sync.Mutex
	// natives are the native pod groups of the server, published those of them
	// that the scheduler knows.
	natives   map[types.NamespacedName]*schedulingv1beta1.PodGroup
	published map[types.NamespacedName]gang.Group
}

var _ gangtable.Sink = &Bridge{}

func NewBridge(groups *Source, g *Gate, changed func(key gang.Key)) *Bridge {
	return &Bridge{
		groups:    groups,
		gate:      g,
		changed:   changed,
		natives:   map[types.NamespacedName]*schedulingv1beta1.PodGroup{},
		published: map[types.NamespacedName]gang.Group{},
	}
}

// Publish hands a gang to the scheduler: a native group as the server has it but for
// its least count, any other one translated.
func (b *Bridge) Publish(group gang.Group) {
	if group.Key.Dialect != gang.Native {
		b.groups.Set(gangtable.PodGroup(group))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := NameOf(group.Key)
	b.published[name] = group
	if pg := b.natives[name]; pg != nil {
		b.groups.Set(gangtable.NativePodGroup(pg, group))
	}
}

// Withdraw takes a gang back from the scheduler.
func (b *Bridge) Withdraw(key gang.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := NameOf(key)
	delete(b.published, name)
	b.groups.Delete(name)
	if b.Windows != nil {
		b.Windows.ForgetGang(key)
	}
}

// Cleared lets members join a gang that the scheduler knows.
func (b *Bridge) Cleared(key gang.Key) { b.gate.cleared(NameOf(key)) }

// Changed passes the news on to those who tell users, and to those who pay.
func (b *Bridge) Changed(key gang.Key) {
	b.changed(key)
	if b.Queues != nil {
		b.Queues.GangChanged(key)
	}
}

// SetNative takes in a native pod group; the scheduler sees every change of one
// that it knows.
func (b *Bridge) SetNative(pg *schedulingv1beta1.PodGroup) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}
	b.natives[name] = pg
	if group, published := b.published[name]; published {
		b.groups.Set(gangtable.NativePodGroup(pg, group))
	}
}

// DeleteNative forgets a native pod group.
func (b *Bridge) DeleteNative(name types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.natives, name)
}

// DropNatives forgets all native pod groups.
func (b *Bridge) DropNatives() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.natives)
}

// NameOf returns the name of the pod group that stands for a gang.
func NameOf(key gang.Key) types.NamespacedName {
	return types.NamespacedName{Namespace: key.Namespace, Name: key.GroupName()}
}
