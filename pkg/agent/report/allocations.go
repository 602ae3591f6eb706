package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// maxAllocations is the most allocations that a report has.
const maxAllocations = 512

// Counts reports whether a resource is made of the devices that another one counts:
// nvidia.com/gpu of itself, of nvidia.com/gpu.shared, and of nvidia.com/mig-1g.10gb.
func Counts(resource, held string) bool {
	vendor, _, _ := strings.Cut(resource, "/")
	return held == resource || held == resource+".shared" || strings.HasPrefix(held, vendor+"/mig-")
}

// allocations returns the devices that containers hold, ordered by namespace, pod and
// container. Ids that mean no device of the node are left out, with a note.
func allocations(resource string, devices []v1alpha1.Device, parts map[string]string, held []Held) (all []v1alpha1.Allocation, notes []string) {
	type container struct{ namespace, pod, name string }
	place := places(devices)
	sets := map[container][]int{}
	unknown := map[string]bool{}
	for _, h := range held {
		if !Counts(resource, h.Resource) {
			continue
		}
		c := container{h.Namespace, h.Pod, h.Container}
		for _, id := range h.IDs {
			uuid, known := Parent(id, parts)
			at, there := place[uuid]
			if !known || !there {
				unknown[id] = true
				continue
			}
			sets[c] = append(sets[c], at)
		}
	}
	for c, set := range sets {
		slices.Sort(set)
		a := v1alpha1.Allocation{Namespace: c.namespace, Pod: c.pod, Container: c.name}
		for _, at := range slices.Compact(set) {
			a.Devices = append(a.Devices, devices[at].UUID)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y v1alpha1.Allocation) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Pod, y.Pod), cmp.Compare(x.Container, y.Container))
	})
	if len(all) > maxAllocations {
		notes = append(notes, fmt.Sprintf("%d containers hold devices; only the first %d are reported.", len(all), maxAllocations))
		all = all[:maxAllocations]
	}
	for _, id := range sortedKeys(unknown) {
		notes = append(notes, fmt.Sprintf("The kubelet gave out %q, which is no device of this node that is known.", id))
	}
	return all, notes
}

// UnknownParts returns the ids of parts (MIG) that containers hold and of which it is
// not known whose they are, sorted.
func UnknownParts(resource string, parts map[string]string, held []Held) []string {
	unknown := map[string]bool{}
	for _, h := range held {
		if !Counts(resource, h.Resource) {
			continue
		}
		for _, id := range h.IDs {
			if _, known := Parent(id, parts); !known {
				unknown[id] = true
			}
		}
	}
	return sortedKeys(unknown)
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
