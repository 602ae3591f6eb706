package podgroups

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// historyLimit is how many changes are kept for a watcher that lags. One that
// falls further behind lists again, as it would from an API server.
const historyLimit = 8192

// Source is the list and watch of pod groups that the scheduler's
// informer reads: native and translated ones in one stream, with resource
// versions of its own. Writers never wait for a reader.
type Source struct {
	mu      sync.Mutex
	version int64
	groups  map[types.NamespacedName]*schedulingv1beta1.PodGroup
	// history holds the latest changes; the last one made the current version.
	history []watch.Event
	// grown is closed and replaced whenever the history grows.
	grown chan struct{}
}

var _ cache.ListerWatcher = &Source{}

func NewSource() *Source {
	return &Source{
		groups: map[types.NamespacedName]*schedulingv1beta1.PodGroup{},
		grown:  make(chan struct{}),
	}
}

// Set adds or replaces a pod group. The source owns the object from then on.
func (s *Source) Set(pg *schedulingv1beta1.PodGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}
	event := watch.Added
	if _, exists := s.groups[name]; exists {
		event = watch.Modified
	}
	s.groups[name] = pg
	s.record(event, pg)
}

// Delete removes a pod group if it is there.
func (s *Source) Delete(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pg, exists := s.groups[name]
	if !exists {
		return
	}
	delete(s.groups, name)
	s.record(watch.Deleted, pg.DeepCopy())
}

func (s *Source) record(event watch.EventType, pg *schedulingv1beta1.PodGroup) {
	s.version++
	pg.ResourceVersion = strconv.FormatInt(s.version, 10)
	if len(s.history) >= 2*historyLimit {
		s.history = append([]watch.Event(nil), s.history[historyLimit:]...)
	}
	s.history = append(s.history, watch.Event{Type: event, Object: pg})
	close(s.grown)
	s.grown = make(chan struct{})
}

// List returns all pod groups; the options are not looked at.
func (s *Source) List(metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &schedulingv1beta1.PodGroupList{}
	list.ResourceVersion = strconv.FormatInt(s.version, 10)
	for _, pg := range s.groups {
		list.Items = append(list.Items, *pg)
	}
	slices.SortFunc(list.Items, func(a, b schedulingv1beta1.PodGroup) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

// Watch streams what changes after options.ResourceVersion.
func (s *Source) Watch(options metav1.ListOptions) (watch.Interface, error) {
	from, err := strconv.ParseInt(options.ResourceVersion, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("watching pod groups from version %q: %w", options.ResourceVersion, err)
	}
	if _, _, ok := s.After(from); !ok {
		return nil, apierrors.NewResourceExpired("the version is older than the history")
	}
	w := &podGroupWatch{source: s, result: make(chan watch.Event), done: make(chan struct{})}
	go w.run(from)
	return w, nil
}

// IsWatchListSemanticsUnSupported tells the reflector to list first.
func (s *Source) IsWatchListSemanticsUnSupported() bool { return true }

// After returns the changes after a version, or a channel that is closed when
// there are some. It is false if the history no longer reaches back so far.
func (s *Source) After(version int64) (changes []watch.Event, grown <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := s.version - version
	if behind < 0 || behind > int64(len(s.history)) {
		return nil, nil, false
	}
	return s.history[int64(len(s.history))-behind:], s.grown, true
}

// podGroupWatch is one reader of a source.
type podGroupWatch struct {
	source *Source
	result chan watch.Event
	done   chan struct{}
	stop   sync.Once
}

func (w *podGroupWatch) ResultChan() <-chan watch.Event { return w.result }

func (w *podGroupWatch) Stop() { w.stop.Do(func() { close(w.done) }) }

func (w *podGroupWatch) run(version int64) {
	defer close(w.result)
	for {
		changes, grown, ok := w.source.After(version)
		if !ok {
			expired := apierrors.NewResourceExpired("the watch fell behind the history")
			w.send(watch.Event{Type: watch.Error, Object: &expired.ErrStatus})
			return
		}
		for _, change := range changes {
			if !w.send(change) {
				return
			}
			version++
		}
		if len(changes) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-w.done:
			return
		}
	}
}

func (w *podGroupWatch) send(event watch.Event) bool {
	select {
	case w.result <- event:
		return true
	case <-w.done:
		return false
	}
}
