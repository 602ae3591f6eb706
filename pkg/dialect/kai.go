package dialect

import (
	"math"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations of the KAI scheduler.
const (
	kaiGroupName     = "pod-group-name"
	kaiGroupSize     = "kai.scheduler/batch-min-member"
	kaiQueueLabel    = "kai.scheduler/queue"
	kaiSubGroupLabel = "kai.scheduler/subgroup-name"
	kaiNodePoolLabel = "kai.scheduler/node-pool"

	kaiRequiredTopology  = "kai.scheduler/topology-required-placement"
	kaiPreferredTopology = "kai.scheduler/topology-preferred-placement"
	kaiSegmentSize       = "kai.scheduler/segment-size"
	kaiSegmentTopology   = "kai.scheduler/segment-topology-required-placement"
)

func kaiGang(pod *corev1.Pod) statement {
	return named(pod.Annotations[kaiGroupName], "annotation "+kaiGroupName)
}

func kaiSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	size, fault := wholeNumber(pod.Annotations, kaiGroupSize, annotation)
	return noLeast(size), fault
}

// noLeast reads a least number of members of 0, which says that each runs by itself: as
// in a gang of which one is enough. Its members still share queue and topology.
func noLeast(size *int64) *int64 {
	if size != nil && *size == 0 {
		*size = 1
	}
	return size
}

func kaiKind() Kind {
	return Kind{
		Resource:    schema.GroupVersionResource{Group: "scheduling.run.ai", Version: "v2alpha2", Resource: "podgroups"},
		Kind:        "PodGroup",
		Dialect:     KAI,
		Subresource: statusSubresource,
		Declare:     declareKAI,
		Status:      kaiStatus,
	}
}

func declareKAI(obj *unstructured.Unstructured) []Declared {
	r := newReader(obj, "PodGroup.scheduling.run.ai")
	spec := r.root(obj).object("spec")
	claims := r.claims(obj, spec.text("queue"))
	claims.Size = noLeast(kaiLeastMembers(spec))
	constraint := spec.object("topologyConstraint")
	if key := constraint.text("requiredTopologyLevel"); key != "" && claims.Topology.Required == "" {
		claims.Topology.Required = levelOrKey(key)
	}
	if key := constraint.text("preferredTopologyLevel"); key != "" && claims.Topology.Preferred == "" {
		claims.Topology.Preferred = levelOrKey(key)
	}
	return r.declare(obj, claims, KAI)
}

// kaiLeastMembers is the least number of pods with which a PodGroup runs:
//
//	least(group) = minMember                                   if said
//	             = sum of the minSubGroup smallest least(child) if it has children
//	             = 1                                            for a leaf
//
// where minSubGroup is all children if unsaid. It is nil if the PodGroup says
// neither minMember nor sub groups.
func kaiLeastMembers(spec node) *int64 {
	if n := spec.integer("minMember"); n != nil {
		return n
	}
	groups := spec.list("subGroups")
	if len(groups) == 0 {
		return nil
	}
	index := make(map[string]int, len(groups))
	for i, g := range groups {
		name := g.text("name")
		if _, twice := index[name]; twice || name == "" {
			g.blame("name", "a name that no other sub group has")
			return nil
		}
		index[name] = i
	}
	const root = -1
	children := make(map[int][]int, len(groups))
	for i, g := range groups {
		parent := root
		if name := g.text("parent"); name != "" {
			at, ok := index[name]
			if !ok {
				g.blame("parent", "the name of a sub group")
				return nil
			}
			parent = at
		}
		children[parent] = append(children[parent], i)
	}

	reached := 0
	var least func(i int) int64
	sum := func(g node, children []int) int64 {
		needs := make([]int64, len(children))
		for i, child := range children {
			needs[i] = least(child)
		}
		slices.Sort(needs)
		if k := g.integer("minSubGroup"); k != nil && *k >= 0 && *k < int64(len(needs)) {
			needs = needs[:*k]
		}
		var total int64
		for _, n := range needs {
			total = addSaturating(total, n)
		}
		return total
	}
	least = func(i int) int64 {
		reached++
		total := int64(1)
		if len(children[i]) > 0 {
			total = sum(groups[i], children[i])
		}
		if n := groups[i].integer("minMember"); n != nil {
			total = *n
		}
		return total
	}
	total := sum(spec, children[root])
	if reached != len(groups) {
		spec.blame("subGroups", "sub groups whose parents form no cycle")
		return nil
	}
	return &total
}

// addSaturating adds without overflow.
func addSaturating(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// The scheduling condition of a KAI PodGroup. KAI removes it from a group that it
// has placed.
const (
	kaiUnschedulable   = "UnschedulableOnNodePool"
	kaiReason          = "Unschedulable"
	kaiDefaultNodePool = "default"
)

// kaiStatus writes the scheduling condition of the group's node pool. The phase
// and the counters belong to KAI's own controller.
func kaiStatus(obj *unstructured.Unstructured, o Outcome, now time.Time) []byte {
	var r reader
	list := r.root(obj).object("status").conditions("schedulingConditions")
	pool := obj.GetLabels()[kaiNodePoolLabel]
	if pool == "" {
		pool = kaiDefaultNodePool
	}
	entry := condition{"type": kaiUnschedulable, "nodePool": pool}
	if o.Scheduled {
		list.remove(entry)
	} else {
		said := condition{
			"status": "True", "reason": kaiReason, "message": o.Text,
			"reasons": []any{map[string]any{"reason": string(o.Code), "message": o.Text}},
		}
		if list.find(entry) < 0 {
			said["transitionID"] = nextTransition(list)
		}
		list.set(entry, said, now)
	}
	changes := patch{}
	changes.list("schedulingConditions", list)
	return changes.body()
}

// nextTransition numbers a transition after all those in the list: KAI takes the
// condition with the largest number for the latest.
func nextTransition(list *conditions) string {
	last := int64(0)
	for _, c := range list.entries {
		if entry, ok := c.(map[string]any); ok {
			id, _ := entry["transitionID"].(string)
			if n, err := strconv.ParseInt(id, 10, 32); err == nil {
				last = max(last, n)
			}
		}
	}
	return strconv.FormatInt(last+1, 10)
}
