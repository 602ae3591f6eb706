package engine

import (
	"sync"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
)

// bridge carries verdicts into the scheduler: an admitted gang becomes a pod group
// of the source, a held one leaves it. A pod whose group is not in the source
// waits in the scheduling queue outside of all heaps and costs no cycle.
type bridge struct {
	groups   *podGroupSource
	gate     *gate
	reporter *reporter
	// queues hear what gangs say of their queue.
	queues *queueing.Queues
	// windows hear of gangs that leave.
	windows *unqueued.Windows

	mu sync.Mutex
	// natives are the native pod groups of the server, published those of them
	// that the scheduler knows.
	natives   map[types.NamespacedName]*schedulingv1beta1.PodGroup
	published map[types.NamespacedName]gang.Group
}

var _ gangtable.Sink = &bridge{}

func newBridge(groups *podGroupSource, g *gate, r *reporter) *bridge {
	return &bridge{
		groups:    groups,
		gate:      g,
		reporter:  r,
		natives:   map[types.NamespacedName]*schedulingv1beta1.PodGroup{},
		published: map[types.NamespacedName]gang.Group{},
	}
}

// Publish hands a gang to the scheduler: a native group as the server has it but for
// its least count, any other one translated.
func (b *bridge) Publish(group gang.Group) {
	if group.Key.Dialect != gang.Native {
		b.groups.Set(gangtable.PodGroup(group))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := groupName(group.Key)
	b.published[name] = group
	if pg := b.natives[name]; pg != nil {
		b.groups.Set(gangtable.NativePodGroup(pg, group))
	}
}

// Withdraw takes a gang back from the scheduler.
func (b *bridge) Withdraw(key gang.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := groupName(key)
	delete(b.published, name)
	b.groups.Delete(name)
	if b.windows != nil {
		b.windows.ForgetGang(key)
	}
}

// Cleared lets members join a gang that the scheduler knows.
func (b *bridge) Cleared(key gang.Key) { b.gate.cleared(groupName(key)) }

// Changed passes the news on to those who tell users, and to those who pay.
func (b *bridge) Changed(key gang.Key) {
	b.reporter.Changed(key)
	if b.queues != nil {
		b.queues.GangChanged(key)
	}
}

// SetNative takes in a native pod group; the scheduler sees every change of one
// that it knows.
func (b *bridge) SetNative(pg *schedulingv1beta1.PodGroup) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}
	b.natives[name] = pg
	if group, published := b.published[name]; published {
		b.groups.Set(gangtable.NativePodGroup(pg, group))
	}
}

// DeleteNative forgets a native pod group.
func (b *bridge) DeleteNative(name types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.natives, name)
}

// DropNatives forgets all native pod groups.
func (b *bridge) DropNatives() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.natives)
}

// groupName returns the name of the pod group that stands for a gang.
func groupName(key gang.Key) types.NamespacedName {
	return types.NamespacedName{Namespace: key.Namespace, Name: key.GroupName()}
}
