package why

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Parts are what answers are made of.
type Parts struct {
	Clock   clock.PassiveClock
	Gangs   *gangtable.Table
	Queues  *queueing.Queues
	Fast    *fastpath.Path
	Journal *insight.Journal
	Pods    corelisters.PodLister
	Nodes   corelisters.NodeLister
	// Topologies are the NodeTopologies that there are.
	Topologies func() []*v1alpha1.NodeTopology
	// Requests says what a pod requests, as the scheduler counts it.
	Requests func(*corev1.Pod) corev1.ResourceList
	// Ours reports whether pods of a scheduler's name are placed here.
	Ours func(scheduler string) bool
	// Holds says why a pod that waits is held now; "" if the last try says so.
	Holds func(pod *corev1.Pod) (code, text string)
	// Leads reports whether this replica decides.
	Leads func() bool
}

// Source answers what is asked.
type Source struct {
	Parts
	pictures pictures

	mu      sync.Mutex
	reports []queueing.QueueReport
	counted time.Time
	gangs   []insight.Gang
	listed  time.Time
}

var _ insight.Source = &Source{}

// New returns a source.
func New(parts Parts) *Source {
	s := &Source{Parts: parts}
	s.pictures.source = s
	return s
}

func (s *Source) head() insight.Head {
	return insight.Head{Version: insight.Version, Time: s.Clock.Now().UTC().Truncate(time.Millisecond)}
}

// Events returns the decisions after one.
func (s *Source) Events(_ context.Context, after uint64) (*insight.Events, error) {
	if !s.Leads() {
		return nil, insight.ErrNotLeading
	}
	out := &insight.Events{Head: s.head()}
	out.Events, out.Last, out.Missed = s.Journal.After(after)
	return out, nil
}

// subject is who is asked for: a gang with its pods that are not done, or a plain pod.
type subject struct {
	key gang.Key
	// gang is nil for a plain pod.
	gang *gangtable.Gang
	// waiting may be given a place, and standing have one: by name.
	waiting, standing []*corev1.Pod
	// all are all its pods that are objects here.
	all []*corev1.Pod
}

// name is how a user knows it.
func (s *subject) name() string {
	if s.gang != nil {
		return s.key.Name
	}
	return s.all[0].Name
}

func (s *subject) namespace() string { return s.all[0].Namespace }

// lineName is how queues and the reclaimer call it.
func (s *subject) lineName() string { return workload.NameOf(s.all[0]) }

// find returns who has a name: a gang, a gang that has such a pod, or whose pods an object of
// such a name controls, or a plain pod.
func (s *Source) find(namespace, name string) (*subject, error) {
	keys := s.Parts.Gangs.Named(namespace, name)
	if len(keys) == 0 {
		pod, err := s.Pods.Pods(namespace).Get(name)
		if err == nil {
			if !s.Ours(pod.Spec.SchedulerName) {
				return nil, fmt.Errorf("%w: pod %q is placed by scheduler %q, and not by Berth; set spec.schedulerName where it is made", insight.ErrNotFound, name, pod.Spec.SchedulerName)
			}
			if group := workload.GangGroup(pod); group != "" {
				keys = append(keys, gang.KeyOf(namespace, group))
			} else {
				return s.plain(pod), nil
			}
		}
	}
	if len(keys) == 0 {
		keys = s.controlledBy(namespace, name)
	}
	switch len(keys) {
	case 0:
		return nil, fmt.Errorf("%w: namespace %q has no gang or pod %q that Berth places, nor an object of that name that controls pods of one; kubectl get pods -n %s shows which there are, and their spec.schedulerName has to be Berth's",
			insight.ErrNotFound, namespace, name, namespace)
	case 1:
		found := s.ofGang(keys[0])
		if found == nil {
			return nil, fmt.Errorf("%w: gang %q has no pods yet", insight.ErrNotFound, name)
		}
		return found, nil
	}
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("%w: %q stands for %d gangs: ask for one of %s", insight.ErrInvalid, name, len(names), strings.Join(names, ", "))
}

// controlledBy returns the gangs of pods that an object of a name controls.
func (s *Source) controlledBy(namespace, name string) []gang.Key {
	// The informer has no index by namespace. Its lister does not fail.
	all, _ := s.Pods.List(labels.Everything())
	var out []gang.Key
	for _, pod := range all {
		if pod.Namespace != namespace {
			continue
		}
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.Name == name && s.Ours(pod.Spec.SchedulerName) {
			if group := workload.GangGroup(pod); group != "" {
				out = append(out, gang.KeyOf(namespace, group))
			}
		}
	}
	slices.SortFunc(out, gang.Key.Compare)
	return slices.Compact(out)
}

// plain is a pod that is in no gang.
func (s *Source) plain(pod *corev1.Pod) *subject {
	out := &subject{all: []*corev1.Pod{pod}}
	switch {
	case pod.Spec.NodeName != "":
		out.standing = out.all
	case pod.DeletionTimestamp == nil:
		out.waiting = out.all
	}
	return out
}

// ofGang returns a gang with its pods; nil if none of them is an object here.
func (s *Source) ofGang(key gang.Key) *subject {
	g, known := s.Parts.Gangs.Get(key)
	if !known {
		return nil
	}
	out := &subject{key: key, gang: &g}
	for i := range g.Pods {
		pod, err := s.Pods.Pods(key.Namespace).Get(g.Pods[i].Name)
		if err != nil || pod.UID != g.Pods[i].UID {
			continue
		}
		out.all = append(out.all, pod)
		switch {
		case g.Pods[i].State == gang.Waiting && g.Pods[i].Ours && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil:
			out.waiting = append(out.waiting, pod)
		case pod.Spec.NodeName != "" && g.Pods[i].State.Effect().Pins:
			out.standing = append(out.standing, pod)
		}
	}
	if len(out.all) == 0 {
		return nil
	}
	return out
}
