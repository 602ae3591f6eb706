package engine

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// Other schedulers bind pods to the nodes that Berth uses, unless these are Berth's own. What
// they do is seen when the watch tells of it, and not before: two schedulers that give one
// device away at the same time do not know it. The kubelet then refuses one of the pods, and
// the gang of that is repaired (package recovery). Here it is noticed, counted and said.

const (
	// intrusionEvents and intrusionBurst bound the events on nodes of Berth's own that others
	// use: so many a second, and so many at once.
	intrusionEvents = 1.0 / 60
	intrusionBurst  = 20
)

// neighbours tells of what other schedulers do to the nodes that Berth uses.
type neighbours struct {
	recorder events.EventRecorder
	leading  func() bool
	limiter  flowcontrol.PassiveRateLimiter
}

func newNeighbours(recorder events.EventRecorder, leading func() bool) *neighbours {
	return &neighbours{recorder: recorder, leading: leading, limiter: flowcontrol.NewTokenBucketPassiveRateLimiter(intrusionEvents, intrusionBurst)}
}

// overdrawn takes in that a node has given out more than it has.
func (n *neighbours) overdrawn(o nodeindex.Overdraft) {
	if !n.leading() {
		return
	}
	if o.Foreign == "" {
		klog.Background().Info("A node has less than its pods request; no more of that is given out there", "node", o.Node, "resource", o.Resource, "allocatable", o.Allocatable, "requested", o.Used)
		return
	}
	measure.ForeignConflicts.Inc()
	klog.Background().Info("Another scheduler bound a pod to a node that had no room left for it; its kubelet refuses whoever comes second", "node", o.Node, "pod", o.Foreign,
		"resource", o.Resource, "allocatable", o.Allocatable, "requested", o.Used)
}

// intruded takes in that another scheduler has devices of a node of Berth's own.
func (n *neighbours) intruded(i nodeindex.Intrusion) {
	if !n.leading() || !n.limiter.TryAccept() {
		return
	}
	klog.Background().Info("Another scheduler uses devices of a node that is Berth's own (--own-nodes)", "node", i.Node, "pod", i.Pod, "scheduler", i.Scheduler, "pods", i.Pods)
	measure.APIWrites.WithLabelValues("event").Inc()
	node := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: i.Node, UID: i.NodeUID}
	n.recorder.Eventf(node, nil, corev1.EventTypeWarning, "ForeignPods", "Watching",
		"%d pods of other schedulers have devices of this node, which is Berth's own by --own-nodes: the first is %s of scheduler %q; taint the node so that only pods with schedulerName berth tolerate it", i.Pods, i.Pod, i.Scheduler)
}

// watchOthers has the engine hear of what other schedulers do.
func (e *engine) watchOthers(ours func(string) bool, own labels.Selector, recorder events.EventRecorder) {
	isOwn := func(node *corev1.Node) bool { return own != nil && own.Matches(labels.Set(node.Labels)) }
	e.occupancy = nodeindex.NewOccupancy(ours, e.requests.Of, isOwn, nodeindex.IsDevice)
	n := newNeighbours(recorder, e.leading.Load)
	e.occupancy.On(n.overdrawn, n.intruded)
}

// ownNodes reads the label selector of the nodes that are Berth's own; nil if there is none.
func ownNodes(text string) (labels.Selector, error) {
	if text == "" {
		return nil, nil
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("--own-nodes=%s is no label selector, such as pool=berth: %w", text, err)
	}
	if _, err := affinityOf(selector); err != nil {
		return nil, err
	}
	return selector, nil
}

// affinityOf returns the node affinity that a selector stands for.
func affinityOf(selector labels.Selector) (*corev1.NodeAffinity, error) {
	requirements, selectable := selector.Requirements()
	if !selectable || len(requirements) == 0 {
		return nil, fmt.Errorf("--own-nodes=%s selects no nodes or all; name a label that only Berth's own have", selector)
	}
	term := corev1.NodeSelectorTerm{}
	for _, r := range requirements {
		one := corev1.NodeSelectorRequirement{Key: r.Key()}
		switch r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			one.Operator, one.Values = corev1.NodeSelectorOpIn, r.Values().List()
		case selection.NotIn, selection.NotEquals:
			one.Operator, one.Values = corev1.NodeSelectorOpNotIn, r.Values().List()
		case selection.Exists:
			one.Operator = corev1.NodeSelectorOpExists
		case selection.DoesNotExist:
			one.Operator = corev1.NodeSelectorOpDoesNotExist
		default:
			return nil, fmt.Errorf("--own-nodes=%s: %q is not supported; use =, !=, in, notin or the key alone", selector, r.Operator())
		}
		term.MatchExpressions = append(term.MatchExpressions, one)
	}
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}}, nil
}

// keepToOwn has profiles place pods on Berth's own nodes alone: by the added affinity of the
// plugin NodeAffinity, which a profile must not have beside.
func keepToOwn(profiles []schedulerconfig.KubeSchedulerProfile, selector labels.Selector) error {
	if selector == nil {
		return nil
	}
	affinity, err := affinityOf(selector)
	if err != nil {
		return err
	}
	for i := range profiles {
		found := false
		for j := range profiles[i].PluginConfig {
			args, ok := profiles[i].PluginConfig[j].Args.(*schedulerconfig.NodeAffinityArgs)
			if !ok {
				continue
			}
			if args.AddedAffinity != nil {
				return fmt.Errorf("profile %q: the plugin NodeAffinity has an addedAffinity, and --own-nodes is another; give one of them", profiles[i].SchedulerName)
			}
			changed := args.DeepCopy()
			changed.AddedAffinity = affinity
			profiles[i].PluginConfig[j].Args, found = changed, true
		}
		if !found {
			profiles[i].PluginConfig = append(profiles[i].PluginConfig, schedulerconfig.PluginConfig{Name: "NodeAffinity", Args: &schedulerconfig.NodeAffinityArgs{AddedAffinity: affinity}})
		}
	}
	return nil
}
