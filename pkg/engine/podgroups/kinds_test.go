package podgroups

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// watched is a kindWatcher over a fake server, whose kinds the test asks for.
type watched struct {
	t       *testing.T
	server  *fake.Clientset
	gangs   *gangtable.Table
	dynamic *dynamicfake.FakeDynamicClient
	kinds   *KindWatcher
	source  *Source
}

func newWatched(t *testing.T, objects ...runtime.Object) *watched {
	t.Helper()
	w := &watched{t: t, server: fake.NewClientset(objects...), source: NewSource()}
	lists := map[schema.GroupVersionResource]string{}
	for _, kind := range dialect.Kinds() {
		lists[kind.Resource] = kind.Kind + "List"
	}
	w.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists)
	b := NewBridge(w.source, NewGate(), func(gang.Key) {})
	w.gangs = gangtable.New(enginetest.Ours, b, clock.RealClock{})
	w.kinds = NewKindWatcher(w.server, w.dynamic, nil, w.gangs, b)
	t.Cleanup(w.kinds.queue.ShutDown)
	return w
}

// serve makes the server serve these resources and no others.
func (w *watched) serve(resources ...schema.GroupVersionResource) {
	w.server.Resources = nil
	for _, r := range resources {
		w.server.Resources = append(w.server.Resources, &metav1.APIResourceList{
			GroupVersion: r.GroupVersion().String(), APIResources: []metav1.APIResource{{Name: r.Resource}}})
	}
}

func (w *watched) ask(resource schema.GroupVersionResource, times int) {
	for range times {
		w.kinds.reconcile(w.t.Context(), resource)
	}
}

func (w *watched) known(key gang.Key) bool {
	g, known := w.gangs.Get(key)
	return known && g.Ref != nil
}

func TestKindComesAndGoes(t *testing.T) {
	w := newWatched(t)
	kind := enginetest.Kind(t, dialect.SchedulerPlugins)
	key := gang.Key{Namespace: "ns", Dialect: kind.Dialect, Name: "g"}
	go w.gangs.Run(t.Context())
	create := func() {
		t.Helper()
		_, err := w.dynamic.Resource(kind.Resource).Namespace("ns").Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": kind.Resource.GroupVersion().String(), "kind": kind.Kind,
			"metadata": map[string]any{"namespace": "ns", "name": "g"}, "spec": map[string]any{"minMember": int64(2)},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	create()
	w.ask(kind.Resource, 3)
	if len(w.kinds.running) != 0 {
		t.Fatal("a kind is watched that the server does not serve")
	}
	for range 2 {
		w.serve(kind.Resource)
		w.ask(kind.Resource, 3)
		if len(w.kinds.running) != 1 {
			t.Fatalf("%d kinds are watched, want 1", len(w.kinds.running))
		}
		enginetest.Eventually(t, "the object is known", func() bool { return w.known(key) })

		w.serve()
		w.ask(kind.Resource, 1)
		w.serve(kind.Resource)
		w.ask(kind.Resource, 1)
		if !w.known(key) {
			t.Error("the server denied the kind for a moment, and its gangs are forgotten")
		}

		w.serve()
		w.ask(kind.Resource, doubtAttempts+1)
		if len(w.kinds.running) != 0 {
			t.Errorf("%d kinds are watched, want none", len(w.kinds.running))
		}
		if w.known(key) {
			t.Error("the object is known of a kind that is gone")
		}
	}
}

func TestNativeGroupsPassThrough(t *testing.T) {
	pg := enginetest.NativeGroup("g", 1)
	w := newWatched(t, pg)
	native := w.kinds.Sources
	resource := schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1beta1", Resource: "podgroups"}
	if _, ok := native[resource]; !ok {
		t.Fatalf("native groups are not asked for: %v", native)
	}
	w.serve(resource)
	w.ask(resource, 1)
	key := gang.Key{Namespace: "ns", Dialect: gang.Native, Name: "g"}
	enginetest.Eventually(t, "the native group is known", func() bool { return w.known(key) })
	w.serve()
	w.ask(resource, doubtAttempts+1)
	if w.known(key) || len(w.kinds.bridge.natives) != 0 {
		t.Error("a native group is known of a server that serves none")
	}
}

func TestSyncedAfterErrors(t *testing.T) {
	w := newWatched(t)
	away := true
	w.server.PrependReactor("get", "resource", func(clienttesting.Action) (bool, runtime.Object, error) {
		return away, nil, apierrors.NewServiceUnavailable("away")
	})
	all := func() {
		for resource := range w.kinds.Sources {
			w.ask(resource, 1)
		}
	}
	all()
	if w.kinds.Synced() {
		t.Error("synced, and the server said nothing yet")
	}
	away = false
	kind := enginetest.Kind(t, dialect.KAI)
	w.serve(kind.Resource)
	all()
	enginetest.Eventually(t, "the watcher is synced", w.kinds.Synced)

	// An error is no answer: what is watched is watched on.
	away = true
	w.ask(kind.Resource, 2*doubtAttempts)
	if len(w.kinds.running) != 1 {
		t.Errorf("%d kinds are watched while the server is away, want 1", len(w.kinds.running))
	}
}

func TestDefinitionsAskForTheirKind(t *testing.T) {
	w := newWatched(t)
	kind := enginetest.Kind(t, dialect.Volcano)
	w.kinds.definitionChanged(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com"}})
	if n := w.kinds.queue.Len(); n != 0 {
		t.Errorf("%d kinds are asked for after a definition of another kind", n)
	}
	w.kinds.definitionChanged(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: kind.Resource.GroupResource().String()}})
	if got, _ := w.kinds.queue.Get(); got != kind.Resource {
		t.Errorf("%s is asked for, want %s", got, kind.Resource)
	}
}

// What the scheduler sees of gangs: translated ones as they are published, native
// ones as the server has them, while they are published.
func TestBridge(t *testing.T) {
	source := NewSource()
	b := NewBridge(source, NewGate(), func(gang.Key) {})
	native := gang.Group{Key: gang.Key{Namespace: "ns", Dialect: gang.Native, Name: "n"}, Size: 2, Need: 2}
	foreign := gang.Group{Key: gang.Key{Namespace: "ns", Dialect: dialect.KAI, Name: "f"}, Size: 2, Need: 2}
	seen := func(want ...string) {
		t.Helper()
		if len(source.groups) != len(want) {
			t.Errorf("the scheduler sees %d groups, want %v", len(source.groups), want)
		}
		for _, name := range want {
			if source.groups[types.NamespacedName{Namespace: "ns", Name: name}] == nil {
				t.Errorf("the scheduler does not see %q", name)
			}
		}
	}
	b.SetNative(enginetest.NativeGroup("n", 2))
	seen()
	b.Publish(native)
	b.Publish(foreign)
	seen("n", "kai:f")
	changed := enginetest.NativeGroup("n", 3)
	b.SetNative(changed)
	if got := source.groups[types.NamespacedName{Namespace: "ns", Name: "n"}]; got.UID != changed.UID || got.Spec.SchedulingPolicy.Gang.MinCount != 2 || changed.Spec.SchedulingPolicy.Gang.MinCount != 3 {
		t.Errorf("the scheduler sees %v, want a copy of the latest, with what the gang needs", got)
	}
	b.Withdraw(native.Key)
	b.Withdraw(foreign.Key)
	seen()
	b.SetNative(enginetest.NativeGroup("n", 2))
	seen()
	b.DeleteNative(types.NamespacedName{Namespace: "ns", Name: "n"})
	b.Publish(native)
	seen()
	b.SetNative(enginetest.NativeGroup("n", 2))
	seen("n")
	b.Withdraw(native.Key)
	b.DropNatives()
	if len(b.natives)+len(b.published) != 0 {
		t.Errorf("%v and %v are kept of groups that are gone", b.natives, b.published)
	}
}
