package podshape

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// filterResults are the results of the filters for pods of one shape, by node.
type filterResults struct {
	nodeindex.Answers
	// said are the statuses behind the answers, from number 1 on.
	Statuses []*fwk.Status
}

// cacheability says how long the result of a plugin's filter may be kept.
type cacheability uint8

const (
	// notKept is an answer that depends on more than the node and the shape.
	notCached cacheability = iota
	// UntilChange is one that a change of the node's pods or amounts may end.
	UntilChange
	// UntilObject is one that only a change of the node object may end.
	UntilObject
)

// CacheabilityOf returns how long the answer of a plugin holds.
func CacheabilityOf(plugin string) cacheability {
	switch plugin {
	case names.NodeUnschedulable, names.NodeName, names.TaintToleration, names.NodeAffinity:
		return UntilObject
	case names.NodeResourcesFit, devicetopology.Name, queuereclaim.Name:
		// What is kept for others, and lent to one of them, changes the nodes in the index.
		return UntilChange
	}
	return notCached
}

// Keep notes a refusal, if it can be kept; false if not.
func (a *filterResults) Keep(id pack.NodeID, status *fwk.Status) bool {
	k := CacheabilityOf(status.Plugin())
	if k == notCached {
		return false
	}
	n, ok := a.number(status)
	if ok {
		a.Refuse(id, n, k == UntilObject)
	}
	return ok
}

// number returns the number of an answer; false if there are too many different. Then
// all are forgotten, and nodes will be asked again.
func (a *filterResults) number(status *fwk.Status) (pack.Answer, bool) {
	for i, s := range a.Statuses {
		if s.Code() == status.Code() && s.Plugin() == status.Plugin() && sameReasons(s.Reasons(), status.Reasons()) {
			return pack.Answer(i + 1), true
		}
	}
	if len(a.Statuses)+1 >= pack.MaxAnswers {
		*a = filterResults{}
		return pack.NoAnswer, false
	}
	a.Statuses = append(a.Statuses, status)
	return pack.Answer(len(a.Statuses)), true
}

// sameReasons reports whether two lists have the same reasons: those of several
// resources come in any order.
func sameReasons(a, b []string) bool {
	if len(a) != len(b) || len(a) < 2 {
		return slices.Equal(a, b)
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Status returns what a node said; nil if nothing is known.
func (a *filterResults) Status(id pack.NodeID) *fwk.Status {
	if n := a.Of(id); n != pack.NoAnswer {
		return a.Statuses[n-1]
	}
	return nil
}

// dislikes are the nodes with a taint of effect PreferNoSchedule that the pods of one
// shape do not tolerate.
type dislikes struct {
	nodes   pack.Set
	version int64
}

// Disliked returns the disliked nodes, nil if there are none.
func (d *dislikes) Disliked(index *nodeindex.Index, pod *corev1.Pod) *pack.Set {
	tainted, version := index.Disliking()
	if tainted.Len() == 0 {
		return nil
	}
	if d.version != version {
		d.nodes, d.version = pack.Set{}, version
		for id, ok := tainted.Next(0); ok; id, ok = tainted.Next(id + 1) {
			if !tolerated(index.Info(id).Node(), pod) {
				d.nodes.Add(id)
			}
		}
	}
	if d.nodes.Len() == 0 {
		return nil
	}
	return &d.nodes
}

// tolerated reports whether a pod tolerates all taints of effect PreferNoSchedule.
func tolerated(node *corev1.Node, pod *corev1.Pod) bool {
	soft := func(t *corev1.Taint) bool { return t.Effect == corev1.TaintEffectPreferNoSchedule }
	_, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, soft, true)
	return !untolerated
}
