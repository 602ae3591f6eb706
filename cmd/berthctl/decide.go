package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// decision is where a gang goes, or why it goes nowhere. In JSON, the order of the fields
// is that of the keys, and part of what is promised.
type decision struct {
	Feasible bool `json:"feasible"`
	// Level is a node label key, "" for the whole cluster, and Domain a path in it.
	Level       string       `json:"level"`
	Domain      string       `json:"domain"`
	Assignments []assignment `json:"assignments"`
	// Score is there for a plan, Reason for none.
	Score  *score  `json:"score,omitempty"`
	Reason *reason `json:"reason,omitempty"`
	// Remarks are what the pods ask for beside, which was not looked at.
	Remarks []string `json:"remarks,omitempty"`

	// asked is how many pods must have a place.
	asked int
}

// assignment is the place of a pod; Node is "" for one that is left out.
type assignment struct {
	Pod  string `json:"pod"`
	Rank int    `json:"rank"`
	Node string `json:"node"`
	// Devices are numbers of the machine; none if they are only counted.
	Devices []int `json:"devices"`

	// domain is the path of the narrowest domain that the node is in.
	domain string
}

// score is what the choice was by: the devices that are left in the domain, and how many
// domains of each level are used.
type score struct {
	Left int64          `json:"left"`
	Used map[string]int `json:"used"`
}

// reason says why there is no plan.
type reason struct {
	Code   string        `json:"code"`
	Text   string        `json:"text"`
	Levels []levelReason `json:"levels"`
}

// levelReason says which domain of a level came closest, and how many pods it was short of
// what.
type levelReason struct {
	Level   string `json:"level"`
	Closest string `json:"closest"`
	Short   int    `json:"short"`
	Of      string `json:"of"`
	// Scattered says that pods of the gang run in several domains of the level.
	Scattered bool `json:"scattered,omitempty"`

	text string
}

// decide plans a gang on a snapshot.
func decide(s *cluster.Snapshot, g *gangInput) (*decision, error) {
	d := &decision{Assignments: []assignment{}, Remarks: remarks(g.pods), asked: int(g.verdict.Group.Need)}
	if g.verdict.Action != gang.Admit {
		d.Reason = &reason{Code: string(g.verdict.Code), Text: g.verdict.Text, Levels: []levelReason{}}
		return d, nil
	}
	planner, err := s.Planner()
	if err != nil {
		return nil, err
	}
	asked, why := gangtable.ResolveTiers(g.topology(), func(key string) bool {
		return slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool { _, has := n.Labels[key]; return has })
	})
	if why != "" {
		d.Reason = &reason{Code: string(gang.Unschedulable), Text: g.name + " requires " + why, Levels: []levelReason{}}
		return d, nil
	}
	request, pods, err := requestOf(s, planner, g, asked)
	if err != nil {
		return nil, err
	}
	d.asked = request.Least
	result := planner.Plan(request)
	if len(result.Candidates) == 0 {
		d.Reason = reasonOf(planner.Fabric, result.Reason, request.Least)
		return d, nil
	}
	best := result.Candidates[0]
	d.Feasible, d.Level, d.Domain = true, levelName(planner.Fabric, best.Level), domainName(planner.Fabric, best.Domain)
	d.Score = &score{Left: best.Left, Used: map[string]int{}}
	for level, n := range best.Used {
		if n > 0 {
			d.Score.Used[planner.Fabric.Key(fabric.Level(level))] = n
		}
	}
	by := fabric.NoLevel
	for _, level := range []fabric.Level{best.Level, request.Preferred, request.SegmentLevel} {
		if by == fabric.NoLevel {
			by = level
		}
	}
	for i, one := range best.Assignments {
		a := assignment{Pod: pods[i].Name, Rank: request.Pods[i].Rank, Devices: []int{}}
		if one.Node != plan.NoNode {
			a.Node, a.domain = planner.Fabric.NodeName(one.Node), domainName(planner.Fabric, planner.Fabric.Narrowest(one.Node, by))
			a.Devices = append(a.Devices, cluster.FreeOf(one.Devices)...)
		}
		d.Assignments = append(d.Assignments, a)
	}
	return d, nil
}

// requestOf translates a gang that asks for a topology, and returns its pods in the order of
// the request.
func requestOf(s *cluster.Snapshot, planner plan.Planner, g *gangInput, asked gang.Topology) (plan.Request, []*corev1.Pod, error) {
	r, missing := plan.NewRequest(asked, func(key string) (fabric.Level, bool) {
		level := planner.Fabric.LevelOf(key)
		return level, level != fabric.NoLevel
	})
	if missing != "" {
		return r, nil, fmt.Errorf("%s asks for the level %s, which the snapshot does not have in fabric; make it anew with berthctl snapshot --level %[2]s, or ask for one of %s",
			g.name, missing, strings.Join(slices.Concat(s.Fabric...), ", "))
	}
	numbers := make(map[string]pack.NodeID, len(s.Nodes))
	for i := range s.Nodes {
		numbers[s.Nodes[i].Name] = pack.NodeID(i)
	}
	ranks, running := workload.Ranks(g.pods, g.running)
	for i, rank := range running {
		node, known := numbers[g.running[i].Spec.NodeName]
		if !known {
			return r, nil, fmt.Errorf("pod %q: spec.nodeName is %q, and the snapshot has no such node; leave the field out for a pod that waits", g.running[i].Name, g.running[i].Spec.NodeName)
		}
		r.Running = append(r.Running, plan.Running{Rank: rank, Node: node})
	}
	devices, err := devicesOf(s)
	if err != nil {
		return r, nil, err
	}
	order := make([]int, len(g.pods))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), strings.Compare(g.pods[a].Name, g.pods[b].Name))
	})
	var pods []*corev1.Pod
	open := map[string]*pack.Set{}
	for _, at := range order {
		pod := g.pods[at]
		request := devices.RequestOfList(podRequests(pod))
		if request.Devices > 1 {
			if request.Link, err = dialect.GPULink(pod); err != nil {
				return r, nil, fmt.Errorf("pod %q: %w", pod.Name, err)
			}
		}
		// By what they say, and not by where that is in memory.
		tolerated, err := json.Marshal(pod.Spec.Tolerations)
		if err != nil {
			return r, nil, fmt.Errorf("pod %q: its tolerations: %w", pod.Name, err)
		}
		set, known := open[string(tolerated)]
		if !known {
			set = openTo(s, pod.Spec.Tolerations)
			open[string(tolerated)] = set
		}
		pods = append(pods, pod)
		r.Pods = append(r.Pods, plan.Pod{Rank: ranks[at], Request: request, Open: set})
	}
	r.Need(int(g.verdict.Group.Need))
	return r, pods, nil
}

// devicesOf numbers devices as the snapshot does.
func devicesOf(s *cluster.Snapshot) (*device.Kinds, error) {
	names := make([]corev1.ResourceName, len(s.Devices))
	for i, name := range s.Devices {
		names[i] = corev1.ResourceName(name)
	}
	return device.NewKinds(names)
}

// openTo returns the nodes whose taints are all tolerated; nil for all.
func openTo(s *cluster.Snapshot, tolerations []corev1.Toleration) *pack.Set {
	set := &pack.Set{}
	for i := range s.Nodes {
		if !slices.ContainsFunc(s.Nodes[i].Taints, func(t cluster.Taint) bool { return !tolerates(tolerations, t) }) {
			set.Add(pack.NodeID(i))
		}
	}
	if set.Len() == len(s.Nodes) {
		return nil
	}
	return set
}

func tolerates(tolerations []corev1.Toleration, taint cluster.Taint) bool {
	t := &corev1.Taint{Key: taint.Key, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect)}
	return slices.ContainsFunc(tolerations, func(toleration corev1.Toleration) bool {
		return toleration.ToleratesTaint(klog.Background(), t, false)
	})
}

// remarks name the fields that a scheduler heeds and a plan from a snapshot does not.
func remarks(pods []*corev1.Pod) []string {
	var out []string
	say := func(field string, has func(*corev1.PodSpec) bool) {
		if i := slices.IndexFunc(pods, func(pod *corev1.Pod) bool { return has(&pod.Spec) }); i >= 0 {
			out = append(out, fmt.Sprintf("pod %q has spec.%s, which is not in a snapshot and was not looked at", pods[i].Name, field))
		}
	}
	say("nodeSelector", func(s *corev1.PodSpec) bool { return len(s.NodeSelector) > 0 })
	say("affinity", func(s *corev1.PodSpec) bool { return s.Affinity != nil })
	say("topologySpreadConstraints", func(s *corev1.PodSpec) bool { return len(s.TopologySpreadConstraints) > 0 })
	say("resourceClaims", func(s *corev1.PodSpec) bool { return len(s.ResourceClaims) > 0 })
	say("volumes of persistentVolumeClaim", func(s *corev1.PodSpec) bool {
		return slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil })
	})
	return out
}

func reasonOf(f *fabric.Fabric, why *plan.Reason, pods int) *reason {
	out := &reason{Code: string(why.Code), Text: why.Sentence(f, pods), Levels: []levelReason{}}
	for _, l := range why.Levels {
		out.Levels = append(out.Levels, levelReason{
			Level: levelName(f, l.Level), Closest: domainName(f, l.Closest), Short: l.Short, Of: string(l.Of), Scattered: l.Scattered,
			text: l.Sentence(f, pods),
		})
	}
	return out
}

// levelName returns the label key of a level, "" for the whole cluster.
func levelName(f *fabric.Fabric, level fabric.Level) string {
	if level == fabric.NoLevel {
		return ""
	}
	return f.Key(level)
}

// domainName returns the path of a domain, "" for the whole cluster and for none.
func domainName(f *fabric.Fabric, d pack.DomainID) string {
	if d == fabric.NoDomain {
		return ""
	}
	return f.Domain(d).Name
}
