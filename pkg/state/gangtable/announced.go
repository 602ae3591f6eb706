package gangtable

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Announced is a gang whose controller makes its pods only once it is admitted: see
// dialect.Announcement. It has no place yet.
type Announced struct {
	dialect.Announcement
	Key gang.Key
	// Queue is the queue that it names, "" if none.
	Queue string
	// Object is the object that announces it, of Kind. It must not be changed.
	Object *unstructured.Unstructured
	Kind   *dialect.Kind
}

// announce notes whether an object announces a gang.
func (g *Table) announce(d declaration) {
	if d.kind == nil || d.kind.Announced == nil || d.second {
		return
	}
	if d.announced == nil {
		delete(g.announcing, d.key)
		return
	}
	g.announcing[d.key] = true
}

// Announced returns the gangs that wait to be admitted, and those that were and have no place,
// in the order in which they were made. A gang with pods that was not admitted needs it not.
func (g *Table) Announced() []Announced {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Announced
	for key := range g.announcing {
		e := g.gangs[key]
		if e == nil {
			delete(g.announcing, key)
			continue
		}
		d, _ := g.told(e)
		a := d.announced
		if a == nil || d.fault != nil || e.placed || !a.Admitted && len(e.members) > 0 {
			continue
		}
		out = append(out, Announced{Announcement: *a, Key: key, Queue: d.said.Claims.Queue, Object: d.object, Kind: d.kind})
	}
	slices.SortFunc(out, func(a, b Announced) int {
		made, other := a.Object.GetCreationTimestamp(), b.Object.GetCreationTimestamp()
		return cmp.Or(made.Compare(other.Time), a.Key.Compare(b.Key))
	})
	return out
}
