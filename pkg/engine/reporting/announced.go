package reporting

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// announcedPeriod is how often gangs that have no pods yet are looked at.
const announcedPeriod = time.Second

// AnnouncedWriter admits gangs whose controllers make no pods before: see gangtable.Announced.
type AnnouncedWriter struct {
	gangs   *gangtable.Table
	queues  *queueing.Queues
	dynamic dynamic.Interface
	// written are the versions of objects that were written and were not seen since.
	written map[types.UID]string
}

func NewAnnouncedWriter(gangs *gangtable.Table, queues *queueing.Queues, client dynamic.Interface) *AnnouncedWriter {
	return &AnnouncedWriter{gangs: gangs, queues: queues, dynamic: client, written: map[types.UID]string{}}
}

// Run admits until the context is done. It is run by the leader alone.
func (w *AnnouncedWriter) Run(ctx context.Context) {
	ticker := time.NewTicker(announcedPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

// look admits those whose turn it is. What was written counts as admitted until it is seen.
func (w *AnnouncedWriter) look(ctx context.Context) {
	all := w.gangs.Announced()
	still := map[types.UID]string{}
	for i := range all {
		object := all[i].Object
		if version, was := w.written[object.GetUID()]; was && version == object.GetResourceVersion() {
			all[i].Admitted = true
			still[object.GetUID()] = version
		}
	}
	w.written = still
	for _, a := range w.queues.ChooseAnnounced(all) {
		if ctx.Err() != nil {
			return
		}
		body := a.Kind.Admit(a.Object)
		if body == nil {
			continue
		}
		err := patchGroup(ctx, w.dynamic, a.Kind, a.Object, body)
		switch {
		case err == nil:
			w.written[a.Object.GetUID()] = a.Object.GetResourceVersion()
		case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
			klog.FromContext(ctx).V(2).Info("Letting a gang in before its pods failed; trying again", "gang", a.Key, "err", err)
		}
	}
}
