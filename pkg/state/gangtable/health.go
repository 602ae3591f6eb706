package gangtable

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// NodeHealth is what a node is to the pods on it; see package repair for what follows.
type NodeHealth uint8

// The states of a node. One that says nothing of whether it is ready is taken to be.
const (
	NodeReady NodeHealth = iota
	NodeCordoned
	NodeNotReady
	NodeUnreachable
	NodeOutOfService
	NodeDeleted
)

var healthNames = [...]string{"ready", "cordoned", "not ready", "unreachable", "out of service", "deleted"}

// String returns the state as a text has it.
func (h NodeHealth) String() string { return healthNames[h] }

// Lost reports whether the members of a gang on such a node are missing.
func (h NodeHealth) Lost() bool { return h >= NodeNotReady }

// HealthOf returns the state of a node that there is.
func HealthOf(node *corev1.Node) NodeHealth {
	if slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService }) {
		return NodeOutOfService
	}
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
			switch c.Status {
			case corev1.ConditionFalse:
				return NodeNotReady
			case corev1.ConditionUnknown:
				return NodeUnreachable
			}
		}
	}
	if node.Spec.Unschedulable {
		return NodeCordoned
	}
	return NodeReady
}

// setHealth takes in the state of a node, and looks again at the gangs that have pods there if
// these are lost now, or no more.
func (g *Table) setHealth(name string, health NodeHealth) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.healthOf(name)
	first := len(g.health) == 0
	if health == NodeDeleted {
		delete(g.health, name)
	} else {
		g.health[name] = health
	}
	if first {
		// Until now, nothing was known of any node.
		for _, on := range g.onNode {
			for _, key := range on {
				g.dirty.Add(key)
			}
		}
	}
	if before.Lost() != health.Lost() {
		for _, key := range g.onNode[name] {
			g.dirty.Add(key)
		}
	}
}

// healthOf returns the state of a node. As long as no node is known, all are ready.
func (g *Table) healthOf(name string) NodeHealth {
	health, known := g.health[name]
	if !known && len(g.health) > 0 {
		return NodeDeleted
	}
	return health
}

// place notes on which node a member is, and unplace that it is there no more.
func (g *Table) place(key gang.Key, uid types.UID, m gang.Member) {
	if m.Node == "" || m.Succeeded {
		g.unplace(uid, m.Node)
		return
	}
	on := g.onNode[m.Node]
	if on == nil {
		on = map[types.UID]gang.Key{}
		g.onNode[m.Node] = on
	}
	on[uid] = key
}

func (g *Table) unplace(uid types.UID, node string) {
	on := g.onNode[node]
	if delete(on, uid); len(on) == 0 {
		delete(g.onNode, node)
	}
}
