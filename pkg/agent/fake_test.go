package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// fakeAPI is the API server: one NodeTopology, one Node, and a count of requests.
type fakeAPI struct {
	mu       sync.Mutex
	object   *unstructured.Unstructured // guarded by mu, as is all below
	nodeUID  types.UID
	created  int
	requests map[string]int
	// fail, if not nil, is what a request gets instead of an answer.
	fail func(request string) error
}

func newFakeAPI() *fakeAPI { return &fakeAPI{nodeUID: "node-1", requests: map[string]int{}} }

// ask counts a request, and fails it if it is to fail.
func (f *fakeAPI) ask(request string) error {
	f.requests[request]++
	if f.fail != nil {
		return f.fail(request)
	}
	return nil
}

func notFound(resource, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Group: "berth.dev", Resource: resource}, name)
}

func (f *fakeAPI) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("get"); err != nil {
		return nil, err
	}
	if f.object == nil || f.object.GetName() != name {
		return nil, notFound("nodetopologies", name)
	}
	return f.object.DeepCopy(), nil
}

// Apply merges as the API server does for one manager: what is applied replaces what
// was, and only in its own part.
func (f *fakeAPI) Apply(_ context.Context, name string, applied *unstructured.Unstructured, o metav1.ApplyOptions, subresources ...string) (*unstructured.Unstructured, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.FieldManager != FieldManager || !o.Force {
		return nil, fmt.Errorf("applied as %+v", o)
	}
	part := strings.Join(append([]string{"apply"}, subresources...), " ")
	if err := f.ask(part); err != nil {
		return nil, err
	}
	if part == "apply status" {
		if f.object == nil {
			return nil, notFound("nodetopologies", name)
		}
		f.object.Object["status"] = applied.DeepCopy().Object["status"]
		return f.object.DeepCopy(), nil
	}
	if _, has := applied.Object["status"]; has {
		return nil, errors.New("a status is applied with the spec")
	}
	next := applied.DeepCopy()
	if f.object == nil {
		f.created++
		next.SetUID(types.UID(fmt.Sprintf("object-%d", f.created)))
	} else {
		next.SetUID(f.object.GetUID())
		if status, has := f.object.Object["status"]; has {
			next.Object["status"] = status
		}
	}
	f.object = next
	return next.DeepCopy(), nil
}

// nodes is where the agent reads its Node.
type nodes struct{ *fakeAPI }

func (n nodes) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.ask("get node"); err != nil {
		return nil, err
	}
	if n.nodeUID == "" {
		return nil, notFound("nodes", name)
	}
	node := &unstructured.Unstructured{}
	node.SetName(name)
	node.SetUID(n.nodeUID)
	return node, nil
}

// change changes the API server.
func (f *fakeAPI) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// asked returns the requests since the last time, as "n request", sorted.
func (f *fakeAPI) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, request := range slices.Sorted(maps.Keys(f.requests)) {
		words = append(words, fmt.Sprintf("%d %s", f.requests[request], request))
	}
	clear(f.requests)
	return strings.Join(words, ", ")
}

// topology returns the object; nil if there is none.
func (f *fakeAPI) topology(t *testing.T) *v1alpha1.NodeTopology {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.object == nil {
		return nil
	}
	topology, err := decode(f.object)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// fakeKubelet says what it is told to say.
type fakeKubelet struct {
	mu   sync.Mutex
	held []report.Held
	err  error
}

func (k *fakeKubelet) List(context.Context) ([]report.Held, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held, k.err
}

func (k *fakeKubelet) say(held []report.Held, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.err = held, err
}

// holds is what a pod holds.
func holds(pod string, ids ...string) report.Held {
	return report.Held{Namespace: "ns", Pod: pod, Container: "main", Resource: "nvidia.com/gpu", IDs: ids}
}

// machine has devices g0, g1, ... and a link between neighbours.
func machine(n int) *report.Machine {
	m := &report.Machine{}
	for i := range n {
		m.Devices = append(m.Devices, v1alpha1.Device{UUID: fmt.Sprintf("g%d", i), Product: "P"})
		if i > 0 {
			m.Links = append(m.Links, v1alpha1.Link{A: int32(i - 1), B: int32(i), Path: v1alpha1.PathPIX})
		}
	}
	return m
}

// rig is an agent whose loop the test goes round by hand.
type rig struct {
	*testing.T
	agent    *Agent
	api      *fakeAPI
	kubelet  *fakeKubelet
	clock    *clocktesting.FakeClock
	registry *prometheus.Registry
	// silent says that the driver hangs. Otherwise it says the same again and again.
	silent bool
}

func newRig(t *testing.T, api *fakeAPI, hardware Hardware) *rig {
	t.Helper()
	r := &rig{T: t, api: api, kubelet: &fakeKubelet{}, registry: prometheus.NewRegistry(),
		clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	r.agent, err = New(Options{
		Node:           report.Node{Name: "n1", Boot: "boot-1", Resource: "nvidia.com/gpu"},
		PollInterval:   5 * time.Second,
		ResyncInterval: 10 * time.Minute,
	}, Sources{
		Hardware: hardware, Kubelet: r.kubelet, Topologies: api, Nodes: nodes{api},
		Clock: r.clock, Random: func() float64 { return 0.5 }, Registerer: r.registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.agent.begin()
	return r
}

// read tells the agent of a machine, or that the driver fails.
func (r *rig) read(m *report.Machine, err error) {
	r.agent.take(r.Context(), reading{machine: m, err: err})
}

// tick lets the poll interval pass, n times, and goes round each time.
func (r *rig) tick(n int) {
	for range n {
		r.clock.Step(r.agent.options.PollInterval)
		if d := r.agent.driver; d.heard && !r.silent {
			r.read(d.machine, d.err)
		}
		r.agent.poll(r.Context())
		r.agent.step(r.Context())
	}
}

// expect checks which requests were made since the last time.
func (r *rig) expect(when, want string) {
	r.Helper()
	if got := r.api.asked(); got != want {
		r.Errorf("%s: asked %q, want %q", when, got, want)
	}
}

// ready returns the reason of the condition Ready.
func (r *rig) ready() string {
	r.Helper()
	topology := r.api.topology(r.T)
	if topology == nil || len(topology.Status.Conditions) != 1 {
		return ""
	}
	return topology.Status.Conditions[0].Reason
}
