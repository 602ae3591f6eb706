package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// DevicesAnnotation names the GPUs that a bound pod holds: JSON, from container to
// device UUIDs.
const DevicesAnnotation = "berth.dev/devices"

// A Verdict is what the API says of a workload's outcome. Names are sorted.
type Verdict struct {
	// Placed counts the bound pods of each submission, by its index.
	Placed              []int
	Bound               int
	PartialGangs        []string
	OversubscribedNodes []string
	DoubleBookedGPUs    int64
	Unbound             []string // pods that should be bound and are not
	// OneRack are the gangs that asked for a rack and are in one whole, and OutOfDomain
	// those that are not in one domain of the level that they require.
	OneRack, OutOfDomain []string
	// Used are the GPUs that pods of each queue hold, in the order of the workload's queues.
	// QueueViolations are sentences about queues that have not what they are entitled to.
	Used            []int
	QueueViolations []string
	// Lost are sentences about submissions that were evicted and did not come back, and
	// FailedJobs about Jobs that have failed.
	Lost, FailedJobs []string
	// Problems are sentences about what could not be checked.
	Problems []string
}

// Verify checks what became of a workload against all pods and nodes of the cluster.
// The workload's pods are those in the demo's namespace that are labelled as its own.
func Verify(w Workload, m Moment, pods []v1.Pod, nodes []v1.Node) Verdict {
	v := Verdict{Placed: make([]int, len(w.Submissions))}
	at := make(map[PodRef]string, len(pods)) // pod of ours -> its node
	holds := map[PodRef]bool{}               // pods of ours that hold their GPUs
	used := map[string]*usage{}
	roster := w.roster()
	for i := range pods {
		pod := &pods[i]
		if pod.Spec.NodeName == "" {
			continue
		}
		ref, ours := roster.ref(pod)
		if ours && pod.Status.Phase != v1.PodFailed {
			if at[ref] != "" {
				v.Problems = append(v.Problems, fmt.Sprintf("two pods are %s, on nodes %s and %s", w.Submissions[ref.Submission].PodName(ref.Index), at[ref], pod.Spec.NodeName))
			}
			at[ref] = pod.Spec.NodeName
		}
		if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
			continue // holds nothing any more
		}
		if ours {
			holds[ref] = true
		}
		u := used[pod.Spec.NodeName]
		if u == nil {
			u = &usage{requests: v1.ResourceList{}, holders: map[string]int{}}
			used[pod.Spec.NodeName] = u
		}
		if err := u.add(pod); err != nil {
			v.Problems = append(v.Problems, err.Error())
		}
	}

	for i, s := range w.Submissions {
		for j := range s.Size {
			if at[PodRef{i, j}] != "" {
				v.Placed[i]++
			} else if m.due(i) {
				v.Unbound = append(v.Unbound, s.PodName(j))
			}
		}
		v.Bound += v.Placed[i]
		if s.Gang() && v.Placed[i] > 0 && v.Placed[i] < s.Size {
			v.PartialGangs = append(v.PartialGangs, s.Name)
		}
	}

	allocatable := make(map[string]v1.ResourceList, len(nodes))
	for i := range nodes {
		allocatable[nodes[i].Name] = nodes[i].Status.Allocatable
	}
	// A node that there is not has nothing allocatable.
	for _, name := range slices.Sorted(maps.Keys(used)) {
		u := used[name]
		if u.exceeds(allocatable[name]) {
			v.OversubscribedNodes = append(v.OversubscribedNodes, name)
		}
		v.DoubleBookedGPUs += u.doubleBooked(allocatable[name])
	}
	v.judgeTopology(w, at, nodes)
	v.judgeQueues(w, m, holds)
	v.judgeReturn(w, m, pods)
	slices.Sort(v.PartialGangs)
	slices.Sort(v.Unbound)
	slices.Sort(v.Problems)
	return v
}

// judgeTopology looks in which domains the gangs are. at has the node of each bound pod. A
// node that has no label of a level, or is not there, is in no domain of it.
func (v *Verdict) judgeTopology(w Workload, at map[PodRef]string, nodes []v1.Node) {
	byName := make(map[string]*v1.Node, len(nodes))
	for i := range nodes {
		byName[nodes[i].Name] = &nodes[i]
	}
	// inOne reports whether all bound pods of a gang are in one domain of a level.
	inOne := func(i int, level Level) bool {
		domains := map[string]bool{}
		for j := range w.Submissions[i].Size {
			name := at[PodRef{i, j}]
			if name == "" {
				continue
			}
			domain := ""
			if node := byName[name]; node != nil {
				domain = level.domain(node)
			}
			domains[domain] = true
		}
		return len(domains) == 0 || len(domains) == 1 && !domains[""]
	}
	for i, s := range w.Submissions {
		if s.AsksForRack() && v.Placed[i] == s.Size && inOne(i, rackLevel) {
			v.OneRack = append(v.OneRack, s.Name)
		}
		if s.Required != "" && !inOne(i, s.Required) {
			v.OutOfDomain = append(v.OutOfDomain, s.Name)
		}
	}
	slices.Sort(v.OneRack)
	slices.Sort(v.OutOfDomain)
}

// usage is what the pods of one node take.
type usage struct {
	requests v1.ResourceList // pods among them
	holders  map[string]int  // device -> how often it is held
}

// add counts a pod. Requests of ordinary containers add up; init containers, which
// run before them, matter where one asks for more than all of those.
func (u *usage) add(pod *v1.Pod) error {
	total := v1.ResourceList{}
	for _, c := range pod.Spec.Containers {
		addTo(total, c.Resources.Requests)
	}
	for _, c := range pod.Spec.InitContainers {
		for name, quantity := range c.Resources.Requests {
			if have := total[name]; quantity.Cmp(have) > 0 {
				total[name] = quantity.DeepCopy()
			}
		}
	}
	addTo(total, pod.Spec.Overhead)
	addTo(u.requests, total)
	count := u.requests[v1.ResourcePods]
	count.Set(count.Value() + 1)
	u.requests[v1.ResourcePods] = count

	text, annotated := pod.Annotations[DevicesAnnotation]
	if !annotated {
		return nil
	}
	var devices map[string][]string
	if err := json.Unmarshal([]byte(text), &devices); err != nil {
		return fmt.Errorf("reading annotation %s of pod %q: %w", DevicesAnnotation, pod.Namespace+"/"+pod.Name, err)
	}
	for _, container := range devices {
		for _, device := range container {
			u.holders[device]++
		}
	}
	return nil
}

func addTo(total, more v1.ResourceList) {
	for name, quantity := range more {
		sum := total[name]
		sum.Add(quantity)
		total[name] = sum
	}
}

// exceeds reports whether more is requested of any resource than there is.
func (u *usage) exceeds(allocatable v1.ResourceList) bool {
	for name, quantity := range u.requests {
		if have := allocatable[name]; quantity.Cmp(have) > 0 {
			return true
		}
	}
	return false
}

// doubleBooked is how many GPUs are promised more than once.
func (u *usage) doubleBooked(allocatable v1.ResourceList) int64 {
	requested, have := u.requests[localcluster.GPUResource], allocatable[localcluster.GPUResource]
	held := int64(0)
	for _, n := range u.holders {
		held += int64(n - 1)
	}
	return max(requested.Value()-have.Value(), held, 0)
}
