package demo

import (
	"math/rand/v2"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// A Level is a level of the fabric that a gang may ask for; "" asks for none.
type Level string

const (
	rackLevel  Level = "rack"
	blockLevel Level = "block"
)

// label is the label key of a level; "" of none.
func (l Level) label() string {
	switch l {
	case rackLevel:
		return localcluster.RackLabel
	case blockLevel:
		return localcluster.BlockLabel
	}
	return ""
}

// domain is the domain of a level that a node is in; "" if it is in none. A rack is named
// with its block: two racks of one name in two blocks are two.
func (l Level) domain(node *v1.Node) string {
	name := node.Labels[l.label()]
	if name == "" || l == blockLevel {
		return name
	}
	return node.Labels[localcluster.BlockLabel] + "/" + name
}

// AsksForRack reports whether a gang requires a rack or prefers one.
func (s Submission) AsksForRack() bool { return s.Required == rackLevel || s.Preferred == rackLevel }

// asks says for people what a gang asks of the fabric; "" if nothing.
func (s Submission) asks() string {
	var parts []string
	if s.Required != "" {
		parts = append(parts, "requires a "+string(s.Required))
	}
	if s.Preferred != "" {
		parts = append(parts, "prefers a "+string(s.Preferred))
	}
	return strings.Join(parts, ", ")
}

// wholeNodes is how many empty nodes hold a submission.
func (s Submission) wholeNodes() int { return (s.Size*s.GPUs + nodeGPUs - 1) / nodeGPUs }

// domainSizes are the sizes of the domains of a level, in nodes: all are as large as they
// can be, but for the last.
func domainSizes(nodes, size int) []int {
	var sizes []int
	for ; nodes > 0; nodes -= size {
		sizes = append(sizes, min(size, nodes))
	}
	return sizes
}

// askTopology has the gangs ask for levels of the fabric, as the package doc says.
func (w *Workload) askTopology(r *rand.Rand) {
	racks := domainSizes(w.Nodes, localcluster.DefaultRackSize)
	blocks := domainSizes(w.Nodes, localcluster.DefaultRackSize*localcluster.DefaultBlockSize)
	for i := range w.Submissions {
		s := &w.Submissions[i]
		switch n := s.wholeNodes(); {
		case !s.Gang() || n > blocks[0]:
		case n > racks[0]:
			if s.Preferred = blockLevel; w.certain(*s, blocks) {
				s.Required, s.Preferred = blockLevel, ""
			}
		case w.certain(*s, racks) && r.IntN(2) == 0:
			s.Required = rackLevel
		default:
			if s.Preferred = rackLevel; w.certain(*s, blocks) && saysBoth(s.Dialect) {
				s.Required = blockLevel
			}
		}
	}
}

// emptyNodes is how many nodes are empty at least while some pods are not placed yet: all
// others have been, as the package doc allows.
func (w Workload) emptyNodes(without Submission) int {
	whole, shared := w.taken()
	if without.GPUs == nodeGPUs {
		whole -= without.Size
	} else {
		shared -= without.Size * without.GPUs
	}
	return w.Nodes - nodesFor(w.Nodes, whole, shared)
}

// certain reports whether a gang finds a domain of such sizes whatever was placed before it:
// if none of them had enough nodes empty, there would be fewer empty ones in all.
func (w Workload) certain(s Submission, sizes []int) bool {
	tooFew := 0
	for _, size := range sizes {
		tooFew += min(size, s.wholeNodes()-1)
	}
	return w.emptyNodes(s) > tooFew
}
