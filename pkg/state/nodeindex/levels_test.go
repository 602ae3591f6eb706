package nodeindex

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/state/device"
)

func labelledNode(name string, labels map[string]string) *corev1.Node {
	node := indexNode(name, nil)
	node.Labels = labels
	return node
}

// Keys that somebody made up cost nothing, however many they are, and a real level is looked
// at after them.
func TestMadeUpLevelsCostNothing(t *testing.T) {
	ix := New(testDevices(t), device.NewInventory())
	ix.Set(read(labelledNode("n", map[string]string{"real": "1"})))
	before := ix.Fabric()
	for i := range 1000 {
		key := fmt.Sprint("made-up-", i)
		ix.LookAt(key, "", key)
		if _, level := ix.Level(key); level || ix.Fabric() != before {
			t.Fatalf("%s is a level, and no node has it", key)
		}
	}
	ix.LookAt("real")
	if level, ok := ix.Level("real"); !ok || len(ix.Fabric().Of(level)) != 1 {
		t.Error("a level that a node has is not looked at")
	}
}

// Trees that are not asked for make room, those of a request never.
func TestUnusedTreesGo(t *testing.T) {
	ix := New(testDevices(t), device.NewInventory())
	labels := map[string]string{}
	for i := range 200 {
		labels[fmt.Sprint("key-", i)] = "x"
	}
	ix.Set(read(labelledNode("n", labels)))
	ix.LookAt("key-0", "key-1")
	for i := 2; i < 200; i++ {
		ix.LookAt("key-0", fmt.Sprint("key-", i))
		for _, key := range []string{"key-0", fmt.Sprint("key-", i)} {
			if _, ok := ix.Level(key); !ok {
				t.Fatalf("%s is asked for and not looked at", key)
			}
		}
	}
	if _, ok := ix.Level("key-1"); ok || len(ix.trees) > mostTrees {
		t.Errorf("%d trees are looked at, with one that nobody asked for since long: %t", len(ix.trees), ok)
	}
	// The last node of a key is gone, and its tree with the next change.
	few := maps.Clone(labels)
	delete(few, "key-0")
	ix.Set(read(labelledNode("n", few)))
	ix.LookAt("key-1")
	if _, ok := ix.Level("key-0"); ok {
		t.Error("a tree is left of which no node is")
	}
}

// Whatever is looked at in whatever order, nodes are where their labels say.
func TestLookAtAgreesWithLabels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ix := New(testDevices(t), device.NewInventory())
	nodes := map[string]map[string]string{}
	for range 3000 {
		name := fmt.Sprint("n", r.IntN(6))
		switch r.IntN(4) {
		case 0:
			nodes[name] = map[string]string{}
			for range r.IntN(80) {
				nodes[name][fmt.Sprint("key-", r.IntN(100))] = fmt.Sprint(r.IntN(3))
			}
			ix.Set(read(labelledNode(name, nodes[name])))
		case 1:
			delete(nodes, name)
			ix.Remove(name)
		}
		keys := []string{fmt.Sprint("key-", r.IntN(120)), fmt.Sprint("key-", r.IntN(120)), ""}
		ix.LookAt(keys...)
		for _, key := range keys[:2] {
			some := slices.ContainsFunc(slices.Collect(maps.Values(nodes)), func(labels map[string]string) bool { _, has := labels[key]; return has })
			level, looked := ix.Level(key)
			if some != ix.Labelled(key) || some && !looked {
				t.Fatalf("%s is on a node: %t; it is said to be: %t, and looked at: %t", key, some, ix.Labelled(key), looked)
			}
			for name, labels := range nodes {
				id, _ := ix.ID(name)
				want, has := labels[key]
				if !looked {
					continue
				}
				if d := ix.Fabric().At(id, level); (d != fabric.NoDomain) != has || has && ix.Fabric().Domain(d).Name != want {
					t.Fatalf("node %s with %s=%q is in domain %d", name, key, want, d)
				}
			}
		}
	}
}
