package boundedbinder

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// binder binds when it is told to, and keeps the most bindings at once.
type binder struct {
	running, most, bound atomic.Int32
	started              chan struct{}
	release              chan struct{}
}

func (*binder) Name() string { return "binder" }

func (b *binder) Bind(context.Context, fwk.CycleState, *corev1.Pod, string) *fwk.Status {
	now := b.running.Add(1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
	b.started <- struct{}{}
	<-b.release
	b.running.Add(-1)
	b.bound.Add(1)
	return nil
}

func TestBindsAFewAtATime(t *testing.T) {
	const slots, pods = 3, 20
	b := &binder{started: make(chan struct{}, pods), release: make(chan struct{})}
	shared := NewSlots(slots)
	// Two profiles share the slots.
	plugins := []*BoundedBinder{New(b, shared), New(b, shared)}
	var all sync.WaitGroup
	for i := range pods {
		all.Go(func() {
			if status := plugins[i%2].Bind(t.Context(), nil, &corev1.Pod{}, "n"); !status.IsSuccess() {
				t.Error(status)
			}
		})
	}
	for range slots {
		<-b.started
	}
	// All slots are taken: whoever gives up leaves the others theirs.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := plugins[0].Bind(ctx, nil, &corev1.Pod{}, "n"); !errors.Is(status.AsError(), context.Canceled) {
		t.Errorf("without a slot: %v, want %v", status, context.Canceled)
	}
	close(b.release)
	all.Wait()
	if most, bound := b.most.Load(), b.bound.Load(); most != slots || bound != pods {
		t.Errorf("%d pods were bound, %d at once; want %d and %d", bound, most, pods, slots)
	}
}

// A binding that hangs gives up its slot, once.
func TestSlowBindingGivesUpItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &binder{started: make(chan struct{}, 3), release: make(chan struct{})}
		plugin := New(b, NewSlots(1))
		var all sync.WaitGroup
		begin := time.Now()
		for range 3 {
			all.Go(func() { plugin.Bind(t.Context(), nil, &corev1.Pod{}, "n") })
		}
		for range 3 {
			<-b.started
		}
		if took := time.Since(begin); took != 2*patience {
			t.Errorf("the third began after %s, want %s", took, 2*patience)
		}
		close(b.release)
		all.Wait()
		if most := b.most.Load(); most != 3 {
			t.Errorf("%d bindings at once, want 3", most)
		}
		// The slot is there, and there is one.
		if len(plugin.slots) != 0 {
			t.Errorf("%d slots are taken in the end", len(plugin.slots))
		}
	})
}
