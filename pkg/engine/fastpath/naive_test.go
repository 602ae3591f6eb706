package fastpath

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// The levels of a cycle rig: racks in blocks, cliques across them, and rows that no known tree has.
const (
	testClique = "nvidia.com/gpu.clique"
	testRow    = "example.com/row"
)

// wider is the next wider level of a cycle rig.
var wider = map[string]string{testRack: testBlock}

// domainOf says in which domain of a level a node is, "" if in none. Level "" is the whole
// cluster.
func domainOf(node *corev1.Node, level string) string {
	switch value, ok := node.Labels[level]; {
	case level == "":
		return "all"
	case !ok:
		return ""
	case wider[level] == "":
		return "=" + value
	default:
		return cmp.Or(domainOf(node, wider[level]), "-") + "=" + value
	}
}

// answer is where a gang can go, found by trying every domain.
type answer struct {
	// places are how many of its pods have a place, 0 if too few of them do.
	places int
	// level is the first at which they do, and rooms how many pods the domains of it hold
	// that hold so many, segments apart.
	level string
	rooms map[string]int
}

// where says where a gang can go now.
func (y *cycleRig) where(c *testGang) answer {
	waiting, running := c.waiting(), y.running(c)
	least := min(max(c.size-len(running), 1), len(waiting))
	for _, n := range []int{len(waiting), least} {
		for _, level := range tried(c.asked) {
			out := answer{places: n, level: level, rooms: map[string]int{}}
			for _, d := range y.domains(level) {
				if y.holds(c, level, d, n) {
					out.rooms[d] = y.room(c, func(node *corev1.Node) bool { return domainOf(node, level) == d })
				}
			}
			if len(out.rooms) > 0 {
				return out
			}
		}
	}
	return answer{}
}

// tried are the levels that a gang may be in, best first.
func tried(asked gang.Topology) (out []string) {
	if asked.Preferred != asked.Required {
		for level := asked.Preferred; level != "" && level != asked.Required; level = wider[level] {
			out = append(out, level)
		}
	}
	return append(out, asked.Required)
}

// running are the members of a gang on nodes that there are.
func (y *cycleRig) running(c *testGang) []*member {
	return slices.DeleteFunc(c.placed(), func(m *member) bool { return y.objects[m.node] == nil })
}

// domains are those of a level.
func (y *cycleRig) domains(level string) []string {
	found := map[string]bool{}
	for _, node := range y.objects {
		found[domainOf(node, level)] = true
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

// holds says whether the first n pods of a gang that wait can be in a domain.
func (y *cycleRig) holds(c *testGang, level, d string, n int) bool {
	within := map[string]bool{}
	for _, node := range y.objects {
		if domainOf(node, level) == d {
			within[domainOf(node, c.asked.Required)] = true
		}
	}
	if len(within) != 1 || within[""] {
		return false // it is in no domain of the required level, or in several
	}
	for _, m := range y.running(c) {
		if level != "" && domainOf(y.objects[m.node], level) != d {
			return false
		}
	}
	if c.asked.SegmentSize == 0 {
		return y.room(c, func(node *corev1.Node) bool { return domainOf(node, level) == d }) >= n
	}
	return y.holdsSegments(c, level, d, n)
}

// room is how many pods of a gang some nodes hold.
func (y *cycleRig) room(c *testGang, among func(*corev1.Node) bool) (pods int) {
	for _, node := range y.objects {
		if among(node) && (c.tolerant || len(node.Spec.Taints) == 0) {
			pods += int(max(0, y.free(node)) / c.gpus)
		}
	}
	return pods
}

// free is how many GPUs a node has free.
func (y *cycleRig) free(node *corev1.Node) int64 {
	gpus := func(list corev1.ResourceList) int64 { q := list["nvidia.com/gpu"]; return q.Value() }
	free := gpus(node.Status.Allocatable)
	for _, pod := range y.strays {
		if pod.Spec.NodeName == node.Name {
			free -= gpus(pod.Spec.Containers[0].Resources.Requests)
		}
	}
	for _, c := range y.gangs {
		for _, m := range c.placed() {
			if m.node == node.Name {
				free -= gpus(m.pod.Spec.Containers[0].Resources.Requests)
			}
		}
	}
	return free
}

// holdsSegments packs the segments of the first n pods into the domains of their level.
func (y *cycleRig) holdsSegments(c *testGang, level, d string, n int) bool {
	size, ranks := int(c.asked.SegmentSize), y.ranks(c)
	at := map[int]map[string]bool{} // the domains in which each segment runs
	for _, m := range y.running(c) {
		s := ranks[m] / size
		if at[s] == nil {
			at[s] = map[string]bool{}
		}
		at[s][domainOf(y.objects[m.node], c.asked.SegmentLevel)] = true
	}
	waiting := c.waiting()
	slices.SortFunc(waiting, func(a, b *member) int { return cmp.Compare(ranks[a], ranks[b]) })
	want := map[int]int{}
	for _, m := range waiting[:n] {
		want[ranks[m]/size]++
	}
	rooms := map[string]int{}
	for _, s := range y.domains(c.asked.SegmentLevel) {
		rooms[s] = y.room(c, func(node *corev1.Node) bool {
			return domainOf(node, level) == d && domainOf(node, c.asked.SegmentLevel) == s
		})
	}
	var free []int
	for s, pods := range want {
		switch in := slices.Collect(maps.Keys(at[s])); {
		case len(in) == 0:
			free = append(free, pods)
		case len(in) > 1 || in[0] == "" || rooms[in[0]] < pods:
			return false
		default:
			rooms[in[0]] -= pods
		}
	}
	slices.SortFunc(free, func(a, b int) int { return cmp.Compare(b, a) })
	return goInto(free, slices.Collect(maps.Values(rooms)))
}

// goInto says whether some sizes go into some rooms, by trying all ways.
func goInto(sizes, rooms []int) bool {
	if len(sizes) == 0 {
		return true
	}
	for i := range rooms {
		if rooms[i] < sizes[0] {
			continue
		}
		rooms[i] -= sizes[0]
		ok := goInto(sizes[1:], rooms)
		rooms[i] += sizes[0]
		if ok {
			return true
		}
	}
	return false
}

// ranks are those of the members of a gang: what they say or were placed with, or else the
// lowest that no pod has, by name.
func (y *cycleRig) ranks(c *testGang) map[*member]int {
	out, used := map[*member]int{}, map[int]bool{}
	var rest []*member
	for _, m := range c.members {
		if m.rank < 0 {
			rest = append(rest, m)
			continue
		}
		out[m], used[m.rank] = m.rank, true
	}
	// Numbers in names are of one digit.
	slices.SortFunc(rest, func(a, b *member) int { return strings.Compare(a.pod.Name, b.pod.Name) })
	for rank := 0; len(rest) > 0; rank++ {
		if !used[rank] {
			out[rest[0]], rest = rank, rest[1:]
		}
	}
	return out
}
