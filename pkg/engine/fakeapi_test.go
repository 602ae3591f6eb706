package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// fakeAPI is the API server, played, with its kubelets and its clock. What becomes of pods is
// noted, for a scheduler to be told of when the test says so.
type fakeAPI struct {
	t      testing.TB
	clock  *clocktesting.FakeClock
	nodes  []*corev1.Node
	queues map[string]*v1alpha1.Queue

	mu      sync.Mutex
	pods    map[types.UID]*corev1.Pod
	names   map[string]types.UID
	version int
	// news are changes in their order; those in early were made at the same time, by
	// several callers.
	news, early []change
	// fate is what becomes of a binding.
	fate func(pod *corev1.Pod) fate
	// budgets are those of the API server, by the name of the gang whose pods they protect;
	// stuck are pods that do not leave, and busy those of which no eviction is answered.
	budgets     map[string]*policyv1.PodDisruptionBudget
	stuck, busy map[string]bool
	// dark are nodes of which no kubelet does anything.
	dark map[string]bool
	// evicted are the pods whose eviction was asked for.
	evicted []string
	// patches counts those of pods.
	patches int
}

// change is a pod as it was, nil if there was none, and as it is, nil if it is gone.
type change struct{ old, pod *corev1.Pod }

// fate is what becomes of a binding.
type fate int

const (
	bound fate = iota
	// refusedBind: it fails. lostAnswer: it is done, and the caller does not hear of it.
	refusedBind
	lostAnswer
)

func newFakeAPI(t testing.TB) *fakeAPI {
	return &fakeAPI{
		t: t, clock: clocktesting.NewFakeClock(time.Unix(1_000_000, 0)), queues: map[string]*v1alpha1.Queue{}, pods: map[types.UID]*corev1.Pod{}, names: map[string]types.UID{},
		fate: func(*corev1.Pod) fate { return bound }, budgets: map[string]*policyv1.PodDisruptionBudget{}, stuck: map[string]bool{}, busy: map[string]bool{}, dark: map[string]bool{},
	}
}

// client returns a client of it.
func (s *fakeAPI) client() *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if get, ok := action.(clienttesting.GetAction); ok && action.GetVerb() == "get" {
			switch action.GetResource().Resource {
			case "poddisruptionbudgets":
				pdb, err := s.budget(get.GetName())
				return true, pdb, err
			case "pods":
				return true, s.read(get.GetName()), s.missing(get.GetName())
			}
		}
		if patch, ok := action.(clienttesting.PatchAction); ok {
			s.patch(patch.GetName(), patch.GetPatch())
		}
		create, ok := action.(clienttesting.CreateAction)
		if !ok {
			return true, &corev1.Pod{}, nil // conditions and the like go nowhere
		}
		switch o := create.GetObject().(type) {
		case *corev1.Binding:
			return true, nil, s.bind(o)
		case *policyv1.Eviction:
			return true, nil, s.evict(o)
		}
		return true, create.GetObject(), nil
	})
	return client
}

// read returns what the store has of a pod, and missing the error if it has none.
func (s *fakeAPI) read(name string) *corev1.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pod(name).DeepCopy()
}

func (s *fakeAPI) missing(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pod(name) == nil {
		return apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	return nil
}

// pod returns a pod of a name; nil if there is none.
func (s *fakeAPI) pod(name string) *corev1.Pod { return s.pods[s.names[name]] }

// set puts a pod into the place of another, nil for none.
func (s *fakeAPI) set(old, pod *corev1.Pod, early bool) {
	s.version++
	if pod != nil {
		pod.ResourceVersion = strconv.Itoa(s.version)
		s.pods[pod.UID], s.names[pod.Name] = pod, pod.UID
	} else {
		delete(s.pods, old.UID)
		delete(s.names, old.Name)
	}
	if early {
		s.early = append(s.early, change{old, pod})
		return
	}
	s.order()
	s.news = append(s.news, change{old, pod})
}

// order has what was done at the same time be in the order of names.
func (s *fakeAPI) order() {
	slices.SortStableFunc(s.early, func(a, b change) int { return cmp.Compare(a.old.Name, b.old.Name) })
	s.news = append(s.news, s.early...)
	s.early = nil
}

// take returns what has changed since it was called last.
func (s *fakeAPI) take() []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order()
	news := s.news
	s.news = nil
	return news
}

// create makes a pod.
func (s *fakeAPI) create(pod *corev1.Pod) *corev1.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pod(pod.Name) != nil {
		s.t.Fatalf("there is a pod %q", pod.Name)
	}
	pod.UID = types.UID(fmt.Sprint("uid-", s.version, "-", pod.Name))
	pod.CreationTimestamp = metav1.NewTime(s.clock.Now())
	s.set(nil, pod, false)
	return pod
}

// edit changes a pod, if it is there.
func (s *fakeAPI) edit(uid types.UID, change func(*corev1.Pod)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.pods[uid]; old != nil {
		pod := old.DeepCopy()
		change(pod)
		s.set(old, pod, false)
	}
}

// end takes pods away, as when they have ended.
func (s *fakeAPI) end(uids ...types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, uid := range uids {
		if old := s.pods[uid]; old != nil {
			s.set(old, nil, false)
		}
	}
}

func (s *fakeAPI) bind(b *corev1.Binding) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pods[b.UID]
	switch {
	case old == nil || old.Name != b.Name:
		return apierrors.NewNotFound(corev1.Resource("pods"), b.Name)
	case old.Spec.NodeName != "":
		return apierrors.NewConflict(corev1.Resource("pods"), b.Name, fmt.Errorf("it has a node"))
	}
	fate := s.fate(old)
	if fate == refusedBind {
		return apierrors.NewForbidden(corev1.Resource("pods/binding"), b.Name, fmt.Errorf("it is not bound"))
	}
	pod := old.DeepCopy()
	pod.Spec.NodeName = b.Target.Name
	for key, value := range b.Annotations {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, key, value)
	}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(s.clock.Now()),
	})
	s.set(old, pod, true)
	if fate == lostAnswer {
		return apierrors.NewTimeoutError("the answer is lost", 1)
	}
	return nil
}

// protect makes a budget that lets so many pods of a gang go.
func (s *fakeAPI) protect(work string, allowed int32) *policyv1.PodDisruptionBudget {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budgets[work] = &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: work, Generation: 1, ResourceVersion: "1"},
		Spec:   policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"workload": work}}},
		Status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: allowed, ExpectedPods: 2}}
	return s.budgets[work].DeepCopy()
}

func (s *fakeAPI) budget(name string) (*policyv1.PodDisruptionBudget, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pdb := s.budgets[name]; pdb != nil {
		return pdb.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(policyv1.Resource("poddisruptionbudgets"), name)
}

// patch takes in the conditions of Berth's own in the patch of a pod's status.
func (s *fakeAPI) patch(name string, body []byte) {
	var patch corev1.Pod
	if err := json.Unmarshal(body, &patch); err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patches++
	old := s.pod(name)
	for _, c := range patch.Status.Conditions {
		if old == nil || !strings.HasPrefix(string(c.Type), "berth.dev/") {
			continue
		}
		pod := old.DeepCopy()
		pod.Status.Conditions = slices.DeleteFunc(pod.Status.Conditions, func(had corev1.PodCondition) bool { return had.Type == c.Type })
		pod.Status.Conditions = append(pod.Status.Conditions, c)
		s.set(old, pod, true)
		old = pod
	}
}

// evictions returns how many were asked for until now.
func (s *fakeAPI) evictions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.evicted)
}

func (s *fakeAPI) evict(e *policyv1.Eviction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pod(e.Name)
	switch {
	case old == nil:
		return apierrors.NewNotFound(corev1.Resource("pods"), e.Name)
	case old.UID != *e.DeleteOptions.Preconditions.UID:
		return apierrors.NewConflict(corev1.Resource("pods"), e.Name, fmt.Errorf("it is another pod"))
	}
	s.evicted = append(s.evicted, old.Name)
	if old.DeletionTimestamp != nil {
		return nil
	}
	if s.busy[old.Name] {
		return apierrors.NewServiceUnavailable("busy")
	}
	if pdb := s.budgets[workloadOf(old)]; pdb != nil {
		if pdb.Status.DisruptionsAllowed == 0 {
			refused := apierrors.NewTooManyRequests("the budget", 0)
			refused.ErrStatus.Details.Causes = append(refused.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause})
			return refused
		}
		pdb.Status.DisruptionsAllowed--
	}
	pod := old.DeepCopy()
	leaves := metav1.NewTime(s.clock.Now().Add(time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &leaves, pod.Spec.TerminationGracePeriodSeconds
	s.set(old, pod, true)
	return nil
}

// kubelets start pods that were bound, and end those whose grace period is over.
func (s *fakeAPI) kubelets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	for _, old := range s.byName() {
		switch {
		case s.dark[old.Spec.NodeName], hasEnded(old):
		case old.DeletionTimestamp != nil && !now.Before(old.DeletionTimestamp.Time) && !s.stuck[old.Name]:
			s.set(old, nil, false)
		case old.Spec.NodeName != "" && old.Status.StartTime == nil:
			pod := old.DeepCopy()
			pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &metav1.Time{Time: now}
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
			s.set(old, pod, false)
		}
	}
}

// byName returns all pods by name.
func (s *fakeAPI) byName() []*corev1.Pod {
	out := make([]*corev1.Pod, 0, len(s.pods))
	for _, pod := range s.pods {
		out = append(out, pod)
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}

const (
	rackLabel = "topology.kubernetes.io/rack"
	gpuName   = "nvidia.com/gpu"
)

// rackNodes makes nodes of 8 GPUs, so many in a rack.
func rackNodes(n, perRack int) []*corev1.Node {
	nodes := make([]*corev1.Node, n)
	for i := range nodes {
		name := fmt.Sprintf("n%04d", i)
		amounts := corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("512Gi"),
			corev1.ResourcePods: resource.MustParse("110"), gpuName: resource.MustParse("8"),
		}
		nodes[i] = &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{
				corev1.LabelHostname: name, rackLabel: fmt.Sprintf("r%03d", i/perRack), "topology.kubernetes.io/block": "b",
			}},
			Status: corev1.NodeStatus{Capacity: amounts, Allocatable: amounts},
		}
	}
	return nodes
}

// podOf makes a pod of a job, with its number. A job of one pod and no size is a plain pod.
func (c *testJob) podOf(i int) *corev1.Pod {
	amounts := corev1.ResourceList{gpuName: *resource.NewQuantity(c.gpus, resource.DecimalSI), corev1.ResourceCPU: *resource.NewQuantity(c.gpus, resource.DecimalSI)}
	grace := c.grace
	if len(c.graces) > 0 {
		grace = c.graces[i%len(c.graces)]
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("%s-%d", c.name, i), Labels: map[string]string{"workload": c.name}},
		Spec: corev1.PodSpec{
			SchedulerName: SchedulerName, Priority: &c.priority, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if c.queue != "" {
		pod.Labels["berth.dev/queue"] = c.queue
	}
	if c.size > 0 {
		pod.Labels["berth.dev/gang"] = c.name
		pod.Annotations = map[string]string{"berth.dev/gang-size": strconv.Itoa(c.size), "berth.dev/rank": strconv.Itoa(i)}
	}
	if c.rack {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/required-topology", rackLabel)
	}
	return pod
}

// workloadOf returns the name of the workload of a pod.
func workloadOf(pod *corev1.Pod) string { return pod.Labels["workload"] }
