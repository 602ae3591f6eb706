package rig

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	typedpolicyv1 "k8s.io/client-go/kubernetes/typed/policy/v1"
	metadatafake "k8s.io/client-go/metadata/fake"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine"
)

// Server is an API server in memory, as far as the engine needs one: it lists, watches,
// binds and evicts pods, and has nodes and queues. A pod that is evicted is gone at once.
// Everything else there is none of, and what is written besides is dropped. Nothing is encoded.
type Server struct {
	fake    *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	// onBind is told of each pod that was bound, one by one.
	onBind func(pod *corev1.Pod)
	// onEvict is told of each pod that was evicted, one by one, unless it is nil.
	onEvict func(pod *corev1.Pod)

	mu      sync.Mutex
	version int64
	pods    map[string]*corev1.Pod
	streams []*stream
	// held says that watchers are told nothing, and unsent is what they are not told.
	held   bool
	unsent []watch.Event
}

// NewServer returns a server with nodes and queues. onBind is told of each pod that is bound;
// it must not call the server.
func NewServer(nodes int, queues []*v1alpha1.Queue, onBind func(pod *corev1.Pod)) (*Server, error) {
	s := &Server{pods: map[string]*corev1.Pod{}, onBind: onBind}
	objects := make([]runtime.Object, nodes)
	for i := range objects {
		objects[i] = Node(i)
	}
	s.fake = fake.NewClientset(objects...)
	s.fake.Resources = []*metav1.APIResourceList{{
		GroupVersion: v1alpha1.GroupVersion.String(), APIResources: []metav1.APIResource{{Name: "queues", Kind: "Queue"}},
	}}
	objects = objects[:0]
	for _, q := range queues {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(q)
		if err != nil {
			return nil, fmt.Errorf("making queue %q: %w", q.Name, err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	lists := map[schema.GroupVersionResource]string{v1alpha1.QueuesResource: "QueueList"}
	for _, kind := range dialect.Suspendables() {
		lists[kind.Resource] = kind.Resource.Resource + "List"
	}
	s.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)
	return s, nil
}

// Clients returns the clients of the server.
func (s *Server) Clients() engine.Clients {
	scheme := metadatafake.NewTestScheme()
	_ = metav1.AddMetaToScheme(scheme) // it fails where there are other types of these names
	return engine.Clients{Kubernetes: client{s.fake, s}, Dynamic: s.dynamic, Metadata: metadatafake.NewSimpleMetadataClient(scheme)}
}

// OnEvict has somebody told of each pod that is evicted, who must not call the server. It is
// called before the server is used.
func (s *Server) OnEvict(f func(pod *corev1.Pod)) { s.onEvict = f }

// Set adds pods, or replaces them. The server owns them from then on.
func (s *Server) Set(pods ...*corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range pods {
		event := watch.Added
		if s.pods[pod.Name] != nil {
			event = watch.Modified
		}
		s.pods[pod.Name] = pod
		s.send(event, pod)
	}
}

// Delete removes pods, as far as there are any left.
func (s *Server) Delete(pods ...*corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range pods {
		last := s.pods[pod.Name]
		if last == nil {
			continue
		}
		delete(s.pods, pod.Name)
		s.send(watch.Deleted, last)
	}
}

// Start has pods run that were bound and not evicted since.
func (s *Server) Start(pods ...*corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := metav1.Now()
	for _, pod := range pods {
		if s.pods[pod.Name] == nil {
			continue
		}
		running := *s.pods[pod.Name]
		running.Status.Phase, running.Status.StartTime = corev1.PodRunning, &now
		s.pods[pod.Name] = &running
		s.send(watch.Modified, &running)
	}
}

// Hold has watchers hear of nothing that happens, until Resume.
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Resume has them hear of what has happened.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	for _, event := range s.unsent {
		s.tell(event)
	}
	s.unsent = nil
}

// send tells every watcher of a pod, now or later.
func (s *Server) send(event watch.EventType, pod *corev1.Pod) {
	s.version++
	pod.ResourceVersion = strconv.FormatInt(s.version, 10)
	if e := (watch.Event{Type: event, Object: pod}); s.held {
		s.unsent = append(s.unsent, e)
	} else {
		s.tell(e)
	}
}

// tell gives every watcher a copy of a pod: informers write into what they get.
func (s *Server) tell(event watch.Event) {
	for _, to := range s.streams {
		if !selects(to.selector, event.Object.(*corev1.Pod)) {
			continue
		}
		out := *event.Object.(*corev1.Pod)
		to.send(watch.Event{Type: event.Type, Object: &out})
	}
}

// selects reports whether a field selector of the kind that Berth has selects a pod.
func selects(selector fields.Selector, pod *corev1.Pod) bool {
	phase := pod.Status.Phase
	if phase == "" {
		phase = corev1.PodPending
	}
	return selector.Matches(fields.Set{"status.phase": string(phase), "spec.schedulerName": pod.Spec.SchedulerName})
}

func (s *Server) list(selector fields.Selector) *corev1.PodList {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(s.version, 10)}, Items: make([]corev1.Pod, 0, len(s.pods))}
	for _, pod := range s.pods {
		if selects(selector, pod) {
			out.Items = append(out.Items, *pod)
		}
	}
	return out
}

func (s *Server) watch(from string, selector fields.Selector) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from != strconv.FormatInt(s.version, 10) {
		return nil, apierrors.NewResourceExpired("nothing is kept of what was before: list again")
	}
	to := &stream{selector: selector, events: make(chan watch.Event, streamBuffer), done: make(chan struct{})}
	s.streams = append(s.streams, to)
	return to, nil
}

func (s *Server) bind(b *corev1.Binding) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := s.pods[b.Name]
	if pod == nil || pod.UID != b.UID {
		return apierrors.NewNotFound(corev1.Resource("pods"), b.Name)
	}
	if pod.Spec.NodeName != "" {
		return apierrors.NewConflict(corev1.Resource("pods"), b.Name, fmt.Errorf("it is on node %q", pod.Spec.NodeName))
	}
	bound := *pod
	bound.Spec.NodeName = b.Target.Name
	s.pods[b.Name] = &bound
	s.send(watch.Modified, &bound)
	s.onBind(&bound)
	return nil
}

func (s *Server) evict(e *policyv1.Eviction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := s.pods[e.Name]
	if pod == nil {
		return apierrors.NewNotFound(corev1.Resource("pods"), e.Name)
	}
	if o := e.DeleteOptions; o != nil && len(o.DryRun) > 0 {
		return nil
	}
	delete(s.pods, e.Name)
	s.send(watch.Deleted, pod)
	if s.onEvict != nil {
		s.onEvict(pod)
	}
	return nil
}

// streamBuffer is how far a watcher may be behind before the server waits for it.
const streamBuffer = 4096

// stream is a watch of pods.
type stream struct {
	selector fields.Selector
	events   chan watch.Event
	done     chan struct{}
	once     sync.Once
}

func (w *stream) ResultChan() <-chan watch.Event { return w.events }
func (w *stream) Stop()                          { w.once.Do(func() { close(w.done) }) }

func (w *stream) send(event watch.Event) {
	select {
	case w.events <- event:
	case <-w.done:
	}
}

// client is a client of the server.
type client struct {
	kubernetes.Interface
	server *Server
}

// IsWatchListSemanticsUnSupported tells informers to list first.
func (client) IsWatchListSemanticsUnSupported() bool { return true }

func (c client) CoreV1() typedcorev1.CoreV1Interface { return core{c.Interface.CoreV1(), c.server} }

type core struct {
	typedcorev1.CoreV1Interface
	server *Server
}

func (c core) Pods(namespace string) typedcorev1.PodInterface {
	return pods{c.CoreV1Interface.Pods(namespace), c.server}
}

type pods struct {
	typedcorev1.PodInterface
	server *Server
}

func (p pods) List(_ context.Context, options metav1.ListOptions) (*corev1.PodList, error) {
	selector, err := fields.ParseSelector(options.FieldSelector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return p.server.list(selector), nil
}

func (p pods) Watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	selector, err := fields.ParseSelector(options.FieldSelector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return p.server.watch(options.ResourceVersion, selector)
}

// Patch changes nothing: what is said of a pod that waits is dropped.
func (p pods) Patch(_ context.Context, name string, _ types.PatchType, _ []byte, _ metav1.PatchOptions, _ ...string) (*corev1.Pod, error) {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (p pods) Bind(_ context.Context, b *corev1.Binding, _ metav1.CreateOptions) error {
	return p.server.bind(b)
}

func (c client) PolicyV1() typedpolicyv1.PolicyV1Interface {
	return policy{c.Interface.PolicyV1(), c.server}
}

type policy struct {
	typedpolicyv1.PolicyV1Interface
	server *Server
}

func (p policy) Evictions(namespace string) typedpolicyv1.EvictionInterface {
	return evictions{p.PolicyV1Interface.Evictions(namespace), p.server}
}

type evictions struct {
	typedpolicyv1.EvictionInterface
	server *Server
}

func (e evictions) Evict(_ context.Context, eviction *policyv1.Eviction) error {
	return e.server.evict(eviction)
}
