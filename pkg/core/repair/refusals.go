package repair

import (
	"cmp"
	"slices"
)

const (
	// FirstAvoidance is for how many seconds a node is avoided for a gang after its kubelet
	// refused a pod of it. It doubles with each refusal, up to MostAvoidance.
	FirstAvoidance = 5
	MostAvoidance  = 300
	// Remembered is for how many seconds after that the node is still the last that the gang is
	// given, and a further refusal counts as one more.
	Remembered = 600
)

// Refusals are the nodes whose kubelets refused pods of one gang. Why a kubelet does so, the
// scheduler cannot know: a device plugin that does not answer refuses every pod until somebody
// restarts it, and each pod that is refused counts as a failure of its owner. So the node is
// avoided for a while that doubles, and comes after all others for a while longer. It is no
// matter of other gangs: a pod that no kubelet takes would close every node to them. The zero
// value is none.
type Refusals struct {
	of map[string]refusal
}

// refusal is how often a node refused, and until which second it is avoided.
type refusal struct {
	times int
	until int64
}

// Add notes that the kubelet of a node refused a pod, as heard of at a second. While the node is
// avoided that is no news: the pod was sent there before.
func (r *Refusals) Add(node string, at int64) {
	one := r.of[node]
	switch {
	case at < one.until:
		return
	case at >= one.until+Remembered:
		one.times = 0
	}
	long := int64(FirstAvoidance)
	for range one.times {
		long = min(2*long, MostAvoidance)
	}
	if r.of == nil {
		r.of = map[string]refusal{}
	}
	r.of[node] = refusal{times: one.times + 1, until: at + long}
}

// Avoided is a node that is not given to the gang before a second. Times is how often it refused
// in a row.
type Avoided struct {
	Node  string
	Times int
	Until int64
}

// At returns the nodes that are avoided at a second, and those that come last, by name, and
// forgets the others.
func (r *Refusals) At(now int64) (avoided []Avoided, last []string) {
	for node, one := range r.of {
		switch {
		case now < one.until:
			avoided = append(avoided, Avoided{node, one.times, one.until})
		case now < one.until+Remembered:
			last = append(last, node)
		default:
			delete(r.of, node)
		}
	}
	slices.SortFunc(avoided, func(a, b Avoided) int { return cmp.Compare(a.Node, b.Node) })
	slices.Sort(last)
	return avoided, last
}
