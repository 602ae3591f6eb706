package podgroups

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

func sizesOf(t *testing.T, objects []any) map[string]int32 {
	t.Helper()
	out := map[string]int32{}
	for _, o := range objects {
		pg := o.(*schedulingv1beta1.PodGroup)
		out[pg.Name] = pg.Spec.SchedulingPolicy.Gang.MinCount
	}
	return out
}

// A watch streams what changed after the version it starts from, and nothing else.
func TestWatchFromAVersion(t *testing.T) {
	s := NewSource()
	s.Set(enginetest.NativeGroup("a", 1))
	s.Set(enginetest.NativeGroup("b", 1))
	list, err := s.List(metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	version := list.(*schedulingv1beta1.PodGroupList).ResourceVersion
	s.Set(enginetest.NativeGroup("a", 2))
	w, err := s.Watch(metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	s.Delete(types.NamespacedName{Namespace: "ns", Name: "b"})
	s.Delete(types.NamespacedName{Namespace: "ns", Name: "never there"})
	s.Set(enginetest.NativeGroup("b", 3))
	var got []string
	for range 3 {
		event := <-w.ResultChan()
		pg := event.Object.(*schedulingv1beta1.PodGroup)
		got = append(got, fmt.Sprintf("%s %s %d at %s", event.Type, pg.Name, pg.Spec.SchedulingPolicy.Gang.MinCount, pg.ResourceVersion))
	}
	want := []string{"MODIFIED a 2 at 3", "DELETED b 1 at 4", "ADDED b 3 at 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Who is further behind than the history reaches is told to list again, when the
// watch starts and while it runs.
func TestLateWatcherExpires(t *testing.T) {
	s := NewSource()
	s.Set(enginetest.NativeGroup("a", 1))
	s.Set(enginetest.NativeGroup("b", 1))
	late, err := s.Watch(metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	defer late.Stop()
	// It has taken in two changes and stands before the second.
	<-late.ResultChan()
	for i := range 3 * historyLimit {
		s.Set(enginetest.NativeGroup("a", int32(i)))
	}
	for _, version := range []string{"0", "1", strconv.Itoa(10 * historyLimit)} {
		if _, err := s.Watch(metav1.ListOptions{ResourceVersion: version}); !apierrors.IsResourceExpired(err) {
			t.Errorf("watching from version %s: %v, want that it expired", version, err)
		}
	}
	for _, version := range []string{"", "x"} {
		if _, err := s.Watch(metav1.ListOptions{ResourceVersion: version}); err == nil {
			t.Errorf("watching from version %q: no error", version)
		}
	}
	last := watch.Event{}
	for event := range late.ResultChan() {
		last = event
	}
	if last.Type != watch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(last.Object)) {
		t.Errorf("the late watch ended with %v, want that it expired", last)
	}
}

func TestStoppedWatchEnds(t *testing.T) {
	s := NewSource()
	idle, err := s.Watch(metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(enginetest.NativeGroup("a", 1))
	unread, err := s.Watch(metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	<-idle.ResultChan()
	for _, w := range []watch.Interface{idle, unread} {
		w.Stop()
		w.Stop()
		for range w.ResultChan() { // until it is closed
		}
	}
}

// Whatever many writers do and however slow the reader is, an informer's store is
// the truth in the end.
func TestInformerEndsWithTheTruth(t *testing.T) {
	const (
		writers = 4
		names   = 20
		changes = 3 * historyLimit
	)
	s := NewSource()
	s.Set(enginetest.NativeGroup("before", 1))
	informer := cache.NewSharedIndexInformer(s, &schedulingv1beta1.PodGroup{}, 0, cache.Indexers{})
	stall := make(chan struct{})
	var once sync.Once
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { once.Do(func() { <-stall }) },
	}); err != nil {
		t.Fatal(err)
	}
	go informer.RunWithContext(t.Context())
	enginetest.Eventually(t, "the informer has listed", informer.HasSynced)

	truths := make([]map[string]int32, writers)
	var done sync.WaitGroup
	for i := range writers {
		truths[i] = map[string]int32{}
		done.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range changes {
				name, size := fmt.Sprintf("w%d-%d", i, random.IntN(names)), random.Int32()
				if random.IntN(4) == 0 {
					s.Delete(types.NamespacedName{Namespace: "ns", Name: name})
					delete(truths[i], name)
					continue
				}
				s.Set(enginetest.NativeGroup(name, size))
				truths[i][name] = size
			}
		})
	}
	done.Wait()
	close(stall)
	want := map[string]int32{"before": 1}
	for _, truth := range truths {
		for name, size := range truth {
			want[name] = size
		}
	}
	diff := ""
	enginetest.Eventually(t, "the informer has caught up", func() bool {
		diff = cmp.Diff(want, sizesOf(t, informer.GetStore().List()))
		return diff == ""
	})
	if len(s.history) > 2*historyLimit {
		t.Errorf("the history holds %d changes, want at most %d", len(s.history), 2*historyLimit)
	}
}
