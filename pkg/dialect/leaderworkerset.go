package dialect

import (
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations that the LeaderWorkerSet controller puts on its pods.
const (
	leaderWorkerSetNameLabel   = "leaderworkerset.sigs.k8s.io/name"
	leaderWorkerSetGroupLabel  = "leaderworkerset.sigs.k8s.io/group-index"
	leaderWorkerSetWorkerLabel = "leaderworkerset.sigs.k8s.io/worker-index"
	leaderWorkerSetSize        = "leaderworkerset.sigs.k8s.io/size"
	leaderWorkerSetExclusive   = "leaderworkerset.sigs.k8s.io/exclusive-topology"
)

// leaderWorkerSetMember reads the group of a LeaderWorkerSet pod.
func leaderWorkerSetMember(pod *corev1.Pod) (Membership, bool) {
	set, group := pod.Labels[leaderWorkerSetNameLabel], pod.Labels[leaderWorkerSetGroupLabel]
	if set == "" || group == "" {
		return Membership{}, false
	}
	exclusive := pod.Annotations[leaderWorkerSetExclusive]
	leader := pod.Labels[leaderWorkerSetWorkerLabel] == "0"
	_, sized := pod.Annotations[berthGangSize]
	if exclusive != "" && !sized && leader {
		return Membership{}, false
	}
	m := member(pod, LeaderWorkerSet, set+"-"+group, "label "+leaderWorkerSetNameLabel, leaderWorkerSetPodSize)
	if m.Fault == nil && m.Claims.Size != nil && exclusive != "" && !sized {
		*m.Claims.Size-- // its leader is bound already
	}
	if m.Fault == nil && m.Claims.Topology.Required == "" {
		m.Claims.Topology.Required = exclusive
	}
	if m.Role == "" && leader {
		m.Role = "leader"
	} else if m.Role == "" {
		m.Role = "worker"
	}
	return m, true
}

func leaderWorkerSetPodSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	if n, f := wholeNumber(pod.Annotations, leaderWorkerSetSize, annotation); n != nil || f != nil {
		return n, f
	}
	return wholeNumber(pod.Labels, leaderWorkerSetSize, label)
}

func leaderWorkerSetKind() Kind {
	return Kind{
		Resource: schema.GroupVersionResource{Group: "leaderworkerset.x-k8s.io", Version: "v1", Resource: "leaderworkersets"},
		Kind:     "LeaderWorkerSet",
		Dialect:  LeaderWorkerSet,
		Declare:  declareLeaderWorkerSet,
		Status:   noStatus,
	}
}

// mostGroups bounds how many groups of one LeaderWorkerSet are declared.
const mostGroups = 10_000

// declareLeaderWorkerSet declares a gang for each group if the object says what
// its pods cannot: that the workers wait for a ready leader, a queue, a topology.
// Otherwise its pods say it all.
func declareLeaderWorkerSet(obj *unstructured.Unstructured) []Declared {
	r := newReader(obj, "LeaderWorkerSet.leaderworkerset.x-k8s.io")
	spec := r.root(obj).object("spec")
	claims := r.claims(obj, "")
	if spec.text("startupPolicy") == "LeaderReady" {
		one := int64(1)
		claims.Size = &one
	}
	groups := int64(1)
	if n := spec.integer("replicas"); n != nil {
		groups = *n
	}
	rollout := spec.object("rolloutStrategy").object("rollingUpdateConfiguration")
	groups = addSaturating(groups, surge(rollout, groups))
	if r.fault == nil && claims == (gang.Claims{}) || obj.GetName() == "" {
		return nil
	}
	groups = min(max(groups, 0), mostGroups)
	if r.fault != nil {
		groups = min(groups, 1)
	}
	var declared []Declared
	for i := range groups {
		key := gang.Key{Namespace: obj.GetNamespace(), Dialect: LeaderWorkerSet, Name: obj.GetName() + "-" + strconv.FormatInt(i, 10)}
		declared = append(declared, r.declared(key, claims))
	}
	return declared
}

// surge is the number of groups beyond replicas that a rolling update may create:
// maxSurge, a number or a percentage of replicas that is rounded up.
func surge(rollout node, replicas int64) int64 {
	switch v := rollout.value("maxSurge").(type) {
	case nil:
		return 0
	case string:
		percent, err := strconv.ParseInt(strings.TrimSuffix(v, "%"), 10, 32)
		if err != nil || !strings.HasSuffix(v, "%") {
			rollout.blame("maxSurge", "a number or a percentage")
			return 0
		}
		return int64(math.Ceil(float64(replicas) / 100 * float64(percent)))
	default:
		if n := rollout.integer("maxSurge"); n != nil {
			return *n
		}
		return 0
	}
}
