package nodeindex

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Fabric returns where nodes are. It is read only, and another one once other levels are
// looked at.
func (ix *Index) Fabric() *fabric.Fabric { return ix.fabric }

// mostTrees bounds how many trees of levels there are at a time, with those that are always
// looked at: each node has a place in all of them.
const mostTrees = 64

// Labelled reports whether any node has a label with a key.
func (ix *Index) Labelled(key string) bool { return ix.labelled[key] > 0 }

// LookAt has label keys be levels, each that is none yet a tree of its own. One that no node
// has costs nothing, and is no level. The others cost a look at all nodes when they are new.
// Trees that nobody asks for make room for those that somebody does: first those of keys that
// no node has any more, then the one that was not asked for longest. It is to be called with
// all that a gang asks for, before Level: numbers of levels are others after it.
func (ix *Index) LookAt(keys ...string) {
	missing := false
	for _, key := range keys {
		at := slices.Index(ix.added, key)
		switch {
		case at >= 0:
			ix.added = append(slices.Delete(ix.added, at, at+1), key)
		case key != "" && ix.Labelled(key) && ix.fabric.LevelOf(key) == fabric.NoLevel:
			ix.added = append(ix.added, key)
			missing = true
		}
	}
	if !missing {
		return
	}
	known := dialect.FabricTrees()
	ix.added = slices.DeleteFunc(ix.added, func(key string) bool { return !ix.Labelled(key) })
	ix.added = slices.Clone(ix.added[max(0, len(ix.added)-(mostTrees-len(known))):])
	ix.version++
	ix.trees = known
	for _, key := range slices.Sorted(slices.Values(ix.added)) {
		ix.trees = append(ix.trees, []string{key})
	}
	ix.fabric = fabric.New(ix.trees...)
	for id, ok := ix.present.Next(0); ok; id, ok = ix.present.Next(id + 1) {
		n := &ix.nodes[id]
		n.domains = ix.fabric.Set(id, n.object.Name, n.object.Labels)
		free, _ := ix.pack.Free(id)
		ix.pack.Set(id, pack.Node{Free: free, Domains: n.domains})
	}
}

// Level returns the level of a label key; false if it is not looked at.
func (ix *Index) Level(key string) (fabric.Level, bool) {
	level := ix.fabric.LevelOf(key)
	return level, level != fabric.NoLevel
}

// label adds n to the nodes with the keys of an object's labels.
func (ix *Index) label(object *corev1.Node, n int) {
	if object == nil {
		return
	}
	for key := range object.Labels {
		if ix.labelled[key] += n; ix.labelled[key] == 0 {
			delete(ix.labelled, key)
		}
	}
}
