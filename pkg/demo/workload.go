package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// MinNodes is the smallest cluster that a workload is made for.
	MinNodes = 8
	// MaxNodes is the largest that this machine can be expected to hold.
	MaxNodes = 25000

	nodeGPUs      = 8
	schedulerName = "berth"

	// What a pod asks for beside each of its GPUs: 8 times that is two thirds
	// of a node's processors and half of its memory.
	cpusPerGPU   = 16
	memoryPerGPU = 128 << 30
)

// A Submission is what a user submits at one time: a gang, or a single pod.
type Submission struct {
	Name    string
	Dialect string // in whose words the gang is declared; "" for a single pod
	Size    int    // pods, all of which are needed
	GPUs    int    // of each pod
	// Required is the level of which all pods must be in one domain, and Preferred that of
	// which they should be.
	Required, Preferred Level
	// Queue pays for it. Late says that it comes when everything else is placed.
	Queue string
	Late  bool
}

// Gang reports whether the pods are a gang.
func (s Submission) Gang() bool { return s.Dialect != "" }

// PodName is what the reports call one of the pods. Its name in the API is that, or begins
// with it.
func (s Submission) PodName(index int) string {
	if !s.Gang() {
		return s.Name
	}
	return fmt.Sprintf("%s-%d", s.Name, index)
}

// A PodRef names a pod of a workload.
type PodRef struct {
	Submission int // index into Workload.Submissions
	Index      int // of the pod in it
}

// A Workload is what is submitted to a cluster. All fits but for what comes late, for which
// something else has to go.
type Workload struct {
	Nodes       int
	Queues      []Queue
	Submissions []Submission // gangs first, the largest of each kind before smaller ones; then what comes late
	Order, Late []int        // indexes into Submissions, each once, in the order in which they are submitted
}

// Pods are the pods of some submissions, such as Workload.Order, in their order.
func (w Workload) Pods(submissions []int) []PodRef {
	var refs []PodRef
	for _, i := range submissions {
		for j := range w.Submissions[i].Size {
			refs = append(refs, PodRef{i, j})
		}
	}
	return refs
}

// AllPods are all pods of the workload, those that come late last.
func (w Workload) AllPods() []PodRef { return slices.Concat(w.Pods(w.Order), w.Pods(w.Late)) }

// Gangs counts the gangs.
func (w Workload) Gangs() int { return w.count(Submission.Gang) }

// count counts the submissions of which something holds.
func (w Workload) count(holds func(Submission) bool) int {
	n := 0
	for _, s := range w.Submissions {
		if holds(s) {
			n++
		}
	}
	return n
}

// Generate makes the workload of a seed for a cluster of at least MinNodes nodes
// of 8 GPUs. It is the same on every machine.
func Generate(nodes int, seed uint64) (Workload, error) {
	if nodes < MinNodes {
		return Workload{}, fmt.Errorf("making a workload for %d nodes: it takes %d at least", nodes, MinNodes)
	}
	r := rand.New(rand.NewPCG(seed, uint64(nodes)))
	w := Workload{Nodes: nodes, Queues: queuesFor(nodes)}
	// Of all GPUs 80 %, of which pods that take a node to themselves have 70.
	whole := nodes * 7 / 10
	shared := nodes*nodeGPUs*8/10 - whole*nodeGPUs
	var singles []Submission
	singles = append(singles, w.addWhole(r, whole)...)
	singles = append(singles, w.addShared(r, shared)...)
	offset := r.IntN(len(dialects))
	for i := range w.Submissions {
		w.Submissions[i].Dialect = dialects[(i+offset)%len(dialects)].name
	}
	w.Submissions = append(w.Submissions, singles...)
	w.Order = r.Perm(len(w.Submissions))
	w.askTopology(r)
	w.pay()
	w.addLate(r)
	return w, nil
}

// addWhole adds gangs of pods of 8 GPUs, and returns single ones.
func (w *Workload) addWhole(r *rand.Rand, pods int) (singles []Submission) {
	alone := pods / 50
	largest := rung(min(max(w.Nodes/4, 2), ladder[len(ladder)-1]))
	count := min(max(w.Nodes*13/100, 2), 130)
	sizes, left := sharesOf(r, pods-alone, count, largest)
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	for _, size := range sizes {
		what := "eval"
		switch {
		case size >= 128:
			what = "pretrain"
		case size >= 24:
			what = "finetune"
		case size >= 6:
			what = "rlhf"
		}
		w.add(what, size, nodeGPUs)
	}
	for i := range alone + left {
		singles = append(singles, Submission{Name: fmt.Sprintf("profile-%03d", i), Size: 1, GPUs: nodeGPUs})
	}
	return singles
}

// addShared adds gangs of pods that share nodes, and returns single ones.
func (w *Workload) addShared(r *rand.Rand, gpus int) (singles []Submission) {
	podGPUs := [...]int{4, 4, 2, 2, 1}
	sizes := [...]int{2, 2, 2, 2, 3, 3, 4, 4, 4, 6, 8, 8, 12, 16}
	alone := gpus * 4 / 10
	gpus -= alone
	var gangs []Submission
	for gpus >= 2 {
		each := min(podGPUs[r.IntN(len(podGPUs))], gpus/2)
		if each == 3 {
			each = 2
		}
		size := min(sizes[r.IntN(len(sizes))], gpus/each)
		gangs = append(gangs, Submission{Size: size, GPUs: each})
		gpus -= size * each
	}
	slices.SortStableFunc(gangs, func(a, b Submission) int { return b.Size*b.GPUs - a.Size*a.GPUs })
	for _, g := range gangs {
		w.add("serve", g.Size, g.GPUs)
	}
	single := [...]int{1, 1, 1, 1, 2, 2, 4}
	for left := alone + gpus; left > 0; {
		each := single[r.IntN(len(single))]
		if each > left {
			each = 1
		}
		singles = append(singles, Submission{Name: fmt.Sprintf("notebook-%03d", len(singles)), Size: 1, GPUs: each})
		left -= each
	}
	return singles
}

func (w *Workload) add(what string, size, gpus int) {
	name := fmt.Sprintf("%s-%03d", what, len(w.Submissions))
	w.Submissions = append(w.Submissions, Submission{Name: name, Size: size, GPUs: gpus})
}

// taken is what the workload takes before anything comes late: pods of 8 GPUs, and GPUs of
// the others.
func (w Workload) taken() (whole, shared int) {
	for _, s := range w.Submissions {
		switch {
		case s.Late:
		case s.GPUs == nodeGPUs:
			whole += s.Size
		default:
			shared += s.Size * s.GPUs
		}
	}
	return whole, shared
}

// nodesFor is how many nodes of a cluster are in use at most, when so many pods of 8 GPUs
// and GPUs of smaller ones are packed as badly as the package doc allows.
func nodesFor(nodes, whole, shared int) int {
	return whole + shared/5 + len(domainSizes(nodes, localcluster.DefaultRackSize))
}

// Margin is how many nodes are left over when everything is packed as badly as the package
// doc allows. All fits that does not come late if it is not negative.
func (w Workload) Margin() int {
	whole, shared := w.taken()
	return w.Nodes - nodesFor(w.Nodes, whole, shared)
}
