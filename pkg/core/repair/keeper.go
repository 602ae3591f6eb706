package repair

import (
	"cmp"
	"slices"
)

// Claim is what a queue says of spares: in each domain of a topology level, so many nodes are kept
// for replacements of its gangs.
type Claim struct {
	Queue string
	// Level is the key of the label whose values are the domains.
	Level string
	Nodes int
}

// Keeper knows which nodes are kept as spares for which queue, of those that are free. The claims
// are met in their order, by queue and level. Each takes the first nodes by name of each domain of
// its level that none before it has taken, as many as it asks for, or as there are:
//
//	taken(c, d) = the first c.Nodes, by name, of free(d) - the sum of taken(b, *) over b before c
//
// So which nodes are kept follows from which are free, and from nothing else: not from what came
// first, nor from who leads. A spare that is used, or falls ill, is not free any more, and the next
// node that is takes its turn. Nobody leaves for that: where no node is free, none is kept.
//
// One node that comes or goes changes at most one node of each claim, so a change costs the number
// of claims times the logarithm of the nodes of a domain.
type Keeper struct {
	claims []claimed
	// free are the nodes that are free, with their labels, and kept the queue of each that is kept.
	free map[string]func(level string) string
	kept map[string]string
}

// claimed is a claim, and what it was offered in each domain: the first Nodes of these are taken.
type claimed struct {
	Claim
	offered map[string][]string
}

// NewKeeper returns a keeper without nodes.
func NewKeeper(claims []Claim) *Keeper {
	k := &Keeper{free: map[string]func(string) string{}, kept: map[string]string{}}
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Level, b.Level))
	})
	for _, c := range claims {
		if c.Nodes > 0 {
			k.claims = append(k.claims, claimed{c, map[string][]string{}})
		}
	}
	return k
}

// For returns the queue for which a node is kept; false if it is not.
func (k *Keeper) For(node string) (queue string, kept bool) {
	queue, kept = k.kept[node]
	return queue, kept
}

// Levels returns the levels of the claims, each once.
func (k *Keeper) Levels() []string {
	var levels []string
	for i := range k.claims {
		levels = append(levels, k.claims[i].Level)
	}
	slices.Sort(levels)
	return slices.Compact(levels)
}

// Add takes in that a node is free, and which domain of a level it is in, "" for none; it must stay
// so until Remove. It returns the nodes that are kept now and were not, or for another queue, or the
// other way round, by name.
func (k *Keeper) Add(node string, domain func(level string) string) (changed []string) {
	if _, known := k.free[node]; known {
		return nil
	}
	k.free[node] = domain
	return k.pass(0, node, changed)
}

// pass offers a node to the claims from one on.
func (k *Keeper) pass(from int, node string, changed []string) []string {
	for i := from; i < len(k.claims); i++ {
		c := &k.claims[i]
		d := k.free[node](c.Level)
		if d == "" {
			continue
		}
		at, _ := slices.BinarySearch(c.offered[d], node)
		c.offered[d] = slices.Insert(c.offered[d], at, node)
		if at >= c.Nodes {
			continue
		}
		changed = k.keep(node, c.Queue, changed)
		if len(c.offered[d]) <= c.Nodes {
			return changed
		}
		node = c.offered[d][c.Nodes] // it was taken, and those after this claim may have it
	}
	return k.let(node, changed)
}

// Remove takes in that a node is not free any more, and returns the same as Add.
func (k *Keeper) Remove(node string) (changed []string) {
	if _, known := k.free[node]; !known {
		return nil
	}
	changed = k.let(node, changed)
	gone := node
	for i := range k.claims {
		c := &k.claims[i]
		d := k.free[gone](c.Level)
		if d == "" {
			continue
		}
		at, _ := slices.BinarySearch(c.offered[d], gone)
		c.offered[d] = slices.Delete(c.offered[d], at, at+1)
		if len(c.offered[d]) == 0 {
			delete(c.offered, d)
		}
		if at >= c.Nodes {
			continue
		}
		if len(c.offered[d]) < c.Nodes {
			break // nobody takes its turn, and those after this claim never had it
		}
		gone = c.offered[d][c.Nodes-1] // those after this claim lose it
		changed = k.keep(gone, c.Queue, changed)
	}
	delete(k.free, node)
	return changed
}

// keep notes that a node is kept for a queue.
func (k *Keeper) keep(node, queue string, changed []string) []string {
	if was, kept := k.kept[node]; kept && was == queue {
		return changed
	}
	k.kept[node] = queue
	return note(node, changed)
}

// let notes that a node is not kept.
func (k *Keeper) let(node string, changed []string) []string {
	if _, kept := k.kept[node]; !kept {
		return changed
	}
	delete(k.kept, node)
	return note(node, changed)
}

func note(node string, changed []string) []string {
	if at, in := slices.BinarySearch(changed, node); !in {
		changed = slices.Insert(changed, at, node)
	}
	return changed
}
