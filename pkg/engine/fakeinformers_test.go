package engine

import (
	"fmt"
	"regexp"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// markedBridge is the bridge of a scheduler, and says when the marker is reached.
type markedBridge struct {
	*podgroups.Bridge
	reached chan struct{}
}

func (m markedBridge) Changed(key gang.Key) {
	if key == enginetest.Marker {
		m.reached <- struct{}{}
		return
	}
	m.Bridge.Changed(key)
}

// fakeInformer is an informer that hands on what the test says.
type fakeInformer struct {
	cache.SharedIndexInformer
	handlers []cache.ResourceEventHandler
	// deaf has nobody hear of what is said.
	deaf bool
}

type registration struct {
	cache.ResourceEventHandlerRegistration
}

func (registration) HasSynced() bool { return true }

func newFakeInformer(object runtime.Object) *fakeInformer {
	return &fakeInformer{SharedIndexInformer: cache.NewSharedIndexInformer(&cache.ListWatch{}, object, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
}

func (i *fakeInformer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	i.handlers = append(i.handlers, handler)
	return registration{}, nil
}

func (i *fakeInformer) set(obj any) {
	old, exists, _ := i.GetStore().Get(obj)
	_ = i.GetStore().Update(obj) // the store fails for objects without a name only, as does the next
	for _, handler := range i.handlers {
		if i.deaf {
			continue
		}
		if exists {
			handler.OnUpdate(old, obj)
		} else {
			handler.OnAdd(obj, false)
		}
	}
}

func (i *fakeInformer) remove(obj any) {
	_ = i.GetStore().Delete(obj)
	for _, handler := range i.handlers {
		handler.OnDelete(obj)
	}
}

// recordedEviction is an eviction as it is announced: pods of a gang, for another.
type recordedEviction struct {
	pods                  int
	gang, queue           string
	claimant, claimsQueue string
}

// evictionRecorder notes evictions that are announced.
type evictionRecorder struct {
	*events.FakeRecorder
	cluster *testCluster
}

var announcement = regexp.MustCompile(`^(\d+) pods of (.+), of queue "(.*)", are evicted for (.+) of queue "(.*)"$`)

func (n *evictionRecorder) Eventf(_, _ runtime.Object, _, reason, _, text string, args ...any) {
	if reason != "Reclaimed" {
		return
	}
	said := announcement.FindStringSubmatch(fmt.Sprintf(text, args...))
	if said == nil {
		panic(fmt.Sprintf("an eviction is announced in other words: "+text, args...))
	}
	pods, _ := strconv.Atoi(said[1])
	out := recordedEviction{pods: pods, gang: said[2], queue: said[3], claimant: said[4], claimsQueue: said[5]}
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.cluster.announcedEvictions = append(n.cluster.announcedEvictions, out)
}

// announced returns the evictions that were announced since the last call.
func (h *testCluster) announced() []recordedEviction {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.announcedEvictions
	h.announcedEvictions = nil
	return out
}
