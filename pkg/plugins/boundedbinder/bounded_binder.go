// Package boundedbinder is the plugin that binds pods a few at a time.
//
// A binding is a request, and the scheduler makes one as soon as it has decided: a
// gang of a thousand pods is a thousand requests at once. An API server lets one
// connection carry 100 of them. For the rest, the client opens further connections,
// one for nearly each request, and the TLS handshakes cost both sides more than the
// bindings do. The plugin lets a bounded number of bindings through, which keeps the
// server as busy as before, over the one connection that there is.
//
// A binding that takes long, as behind a webhook that does not answer, counts for a
// second: it must not hold up all others.
package boundedbinder

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// Name is the plugin's name in a profile.
const Name = "BoundedBinder"

// BoundedBinder lets another plugin bind.
type BoundedBinder struct {
	next  fwk.BindPlugin
	slots Slots
}

var _ fwk.BindPlugin = &BoundedBinder{}

// Slots are what bindings take while they are under way. The plugins of all profiles
// share them.
type Slots chan struct{}

// patience is how long a binding keeps its slot at most.
const patience = time.Second

// NewSlots returns so many slots, at least one.
func NewSlots(n int) Slots { return make(Slots, max(n, 1)) }

// New returns the plugin, which binds by another.
func New(next fwk.BindPlugin, slots Slots) *BoundedBinder {
	return &BoundedBinder{next: next, slots: slots}
}

// Name returns the plugin's name.
func (*BoundedBinder) Name() string { return Name }

// Bind waits for a slot, and binds. If the context ends before that, nothing is bound.
func (b *BoundedBinder) Bind(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node string) *fwk.Status {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return fwk.AsStatus(context.Cause(ctx))
	}
	leave := sync.OnceFunc(func() { <-b.slots })
	late := time.AfterFunc(patience, leave)
	defer func() {
		late.Stop()
		leave()
	}()
	return b.next.Bind(ctx, state, pod, node)
}
