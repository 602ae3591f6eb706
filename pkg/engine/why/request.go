package why

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/remedy"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// usable says which nodes pods of one kind may use, and what the others say.
type usable struct {
	open, opened *pack.Set
	refusals     map[string][]pack.NodeID
}

// topologyOf returns what a subject asks of the network.
func topologyOf(of *subject) gang.Topology {
	if of.gang == nil {
		return gang.Topology{}
	}
	return gangtable.TopologyOf(gangtable.PodGroup(of.gang.Verdict.Group))
}

// request translates a subject that waits. missing says which level it has to have that is
// none; "" if there is no such.
func (s *Source) request(p *picture, of *subject) (request remedy.Request, kinds []*usable, missing string) {
	asked, why := gangtable.ResolveTiers(topologyOf(of), func(key string) bool { return labelled(p.nodes, key) })
	if why != "" {
		return request, nil, why
	}
	f := p.cluster.Planner.Fabric
	if level := f.LevelOf(asked.Preferred); level == fabric.NoLevel || len(f.Of(level)) == 0 {
		asked.Preferred = ""
	}
	r, key := plan.NewRequest(asked, func(key string) (fabric.Level, bool) {
		level := f.LevelOf(key)
		return level, level != fabric.NoLevel && len(f.Of(level)) > 0
	})
	if key != "" {
		return request, nil, "no node has label " + key + ", the topology level that it asks for"
	}
	ranks, running := workload.Ranks(of.waiting, of.standing)
	for i, pod := range of.standing {
		if id, known := p.nodeOf(pod); known {
			r.Running = append(r.Running, plan.Running{Rank: running[i], Node: id})
		}
	}
	order := make([]int, len(of.waiting))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), strings.Compare(of.waiting[a].Name, of.waiting[b].Name))
	})
	byKind := map[string]*usable{}
	for _, i := range order {
		pod := of.waiting[i]
		kind := kindOf(pod)
		u := byKind[kind]
		if u == nil {
			u = p.usable(pod)
			byKind[kind] = u
			kinds = append(kinds, u)
		}
		one := plan.Pod{Rank: ranks[i], Request: p.devices.RequestOfList(s.Requests(pod)), Open: u.open}
		if one.Request.Devices > 1 {
			one.Request.Link, _ = dialect.GPULink(pod)
		}
		r.Pods, request.Opened = append(r.Pods, one), append(request.Opened, u.opened)
	}
	need := 1
	if of.gang != nil {
		need = int(of.gang.Verdict.Group.Need)
	}
	r.Need(need)
	request.Request = r
	return request, kinds, ""
}

// kindOf is the same for pods that may use the same nodes: by what they say, and not by where
// it is in memory.
func kindOf(pod *corev1.Pod) string {
	said := []any{pod.Spec.Tolerations, pod.Spec.NodeSelector}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil {
		said = append(said, a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	}
	text, _ := json.Marshal(said) // these kinds are made for it
	return string(text)
}

// usable says which nodes a pod may use.
func (p *picture) usable(pod *corev1.Pod) *usable {
	u := &usable{open: &pack.Set{}, opened: &pack.Set{}, refusals: map[string][]pack.NodeID{}}
	affinity := nodeaffinity.GetRequiredNodeAffinity(pod)
	keeps := func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}
	cordoned := &corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	for i, node := range p.nodes {
		id := pack.NodeID(i)
		refuse := func(text string) { u.refusals[text] = append(u.refusals[text], id) }
		if match, err := affinity.Match(node); err != nil || !match {
			refuse("outside of the pods' node selector or affinity")
			continue
		}
		u.opened.Add(id)
		taint, tainted := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, keeps, true)
		switch {
		case node.Spec.Unschedulable && !slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
			return t.ToleratesTaint(klog.Background(), cordoned, true)
		}):
			refuse("cordoned")
		case tainted:
			refuse(fmt.Sprintf("with the taint %s, which the pods do not tolerate", taint.ToString()))
		default:
			u.open.Add(id)
		}
	}
	return u
}

// unjudged names what pods ask for that a picture does not have.
func unjudged(pods []*corev1.Pod) []string {
	var out []string
	say := func(field string, has func(*corev1.PodSpec) bool) {
		if i := slices.IndexFunc(pods, func(pod *corev1.Pod) bool { return has(&pod.Spec) }); i >= 0 {
			out = append(out, fmt.Sprintf("pod %q has spec.%s, which was not looked at here: the scheduler heeds it", pods[i].Name, field))
		}
	}
	say("affinity to other pods", func(s *corev1.PodSpec) bool {
		return s.Affinity != nil && (s.Affinity.PodAffinity != nil || s.Affinity.PodAntiAffinity != nil)
	})
	say("topologySpreadConstraints", func(s *corev1.PodSpec) bool { return len(s.TopologySpreadConstraints) > 0 })
	say("resourceClaims", func(s *corev1.PodSpec) bool { return len(s.ResourceClaims) > 0 })
	say("volumes of persistentVolumeClaim", func(s *corev1.PodSpec) bool {
		return slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil })
	})
	say("containers with a hostPort", func(s *corev1.PodSpec) bool {
		return slices.ContainsFunc(s.Containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 })
		})
	})
	return out
}
