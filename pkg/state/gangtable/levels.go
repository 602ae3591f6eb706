package gangtable

import (
	corev1 "k8s.io/api/core/v1"
)

// levels knows which label keys are on nodes: a gang that requires a topology level
// that is on none cannot be placed, and need not be tried.
type levels struct {
	// keys are the label keys of each node, nodes the number of nodes of each key.
	keys  map[string]map[string]bool
	nodes map[string]int
}

func newLevels() levels {
	return levels{keys: map[string]map[string]bool{}, nodes: map[string]int{}}
}

// set takes in the labels of a node; nil for a node that is gone. It returns the
// keys that were on no node before, and those that are on none now.
func (l *levels) set(node string, labels map[string]string) (changed []string) {
	old := l.keys[node]
	same := len(old) == len(labels)
	for key := range labels {
		same = same && old[key]
	}
	if same {
		return nil
	}
	for key := range labels {
		if !old[key] {
			l.nodes[key]++
			if l.nodes[key] == 1 {
				changed = append(changed, key)
			}
		}
	}
	for key := range old {
		if _, still := labels[key]; still {
			continue
		}
		l.nodes[key]--
		if l.nodes[key] == 0 {
			delete(l.nodes, key)
			changed = append(changed, key)
		}
	}
	delete(l.keys, node)
	if len(labels) > 0 {
		l.keys[node] = make(map[string]bool, len(labels))
		for key := range labels {
			l.keys[node][key] = true
		}
	}
	return changed
}

// SetNode takes in a node that was added or changed.
func (g *Table) SetNode(node *corev1.Node) {
	g.setNode(node.Name, node.Labels)
	g.setHealth(node.Name, HealthOf(node))
}

// DeleteNode forgets a node.
func (g *Table) DeleteNode(name string) {
	g.setNode(name, nil)
	g.setHealth(name, NodeDeleted)
}

// setNode looks again at the gangs that require a level that came or went, and at those
// that ask for a tier, which may be another level now. That is rare: the first node of a
// level, or the last.
func (g *Table) setNode(name string, labels map[string]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := g.levels.set(name, labels)
	if len(changed) == 0 {
		return
	}
	came := map[string]bool{}
	for _, key := range changed {
		came[key] = true
	}
	for key, e := range g.gangs {
		if came[e.required] || came[e.segments] || e.tiered {
			g.dirty.Add(key)
		}
	}
}
