package admission

import (
	"cmp"
	"strings"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// key is what decides who comes first in a line: the numbers in their order, and the name.
type key struct {
	first, second, third uint64
	name                 string
}

func (k *key) compare(other *key) int {
	switch {
	case k.first != other.first:
		return cmp.Compare(k.first, other.first)
	case k.second != other.second:
		return cmp.Compare(k.second, other.second)
	case k.third != other.third:
		return cmp.Compare(k.third, other.third)
	}
	return strings.Compare(k.name, other.name)
}

// ascending maps numbers to others that compare alike.
func ascending(x int64) uint64 { return uint64(x) ^ 1<<63 }

// descending maps numbers to others that compare the other way round.
func descending(x int64) uint64 { return ^ascending(x) }

// node is a gang in the line of its queue, or a queue in that of its parent. It belongs to
// whoever stands in the line, and is used again.
type node struct {
	key key
	// asks is what a gang asks for, or the least that any gang in a queue does.
	asks quota.Vector
	// overtaken is how often a gang has been, so far as it is not in owed of a node above.
	overtaken int
	gang      *entry
	queue     quota.QueueID
	in        bool

	left, right *node
	// random keeps the tree level: no node has one above its parent's.
	random uint64
	// Of the tree below: how many nodes, the least asked, the most overtaken.
	size  int
	least quota.Vector
	most  int
	// owed is to be added to overtaken of every node below.
	owed int
}

// line is nodes in the order of their keys: a treap that knows, of each of its trees, the
// least that is asked for and the most that anyone was overtaken. No answer depends on the
// random numbers.
type line struct{ root *node }

// insert puts a node in.
func (l *line) insert(n *node) {
	n.in, n.left, n.right, n.owed = true, nil, nil, 0
	l.root = insert(l.root, n)
}

// remove takes a node out.
func (l *line) remove(n *node) {
	l.root = remove(l.root, n)
	n.in = false
}

// first returns the first node, up to a last key, that asks for no more than there is room
// for and is accepted. With no last key, all are tried; trees in which all ask for too much
// are passed over.
func (l *line) first(room quota.Vector, last *key, accept func(*node) bool) *node {
	return first(l.root, room, last, accept)
}

// leastUpTo lowers least to what nodes up to a last key ask for.
func (l *line) leastUpTo(last *key, least quota.Vector) {
	for n := l.root; n != nil; {
		if last != nil && n.key.compare(last) > 0 {
			n = n.left
			continue
		}
		if n.left != nil {
			lower(least, n.left.least)
		}
		lower(least, n.asks)
		n = n.right
	}
}

// before returns how many nodes come before a key.
func (l *line) before(k *key) int {
	count := 0
	for n := l.root; n != nil; {
		if n.key.compare(k) < 0 {
			count += n.left.count() + 1
			n = n.right
		} else {
			n = n.left
		}
	}
	return count
}

// overtake adds to how often nodes before a key were overtaken.
func (l *line) overtake(k *key, by int) { overtake(l.root, k, by) }

// settle hands down what is owed to a node.
func (l *line) settle(n *node) {
	for at := l.root; at != nil && at != n; {
		at.settle()
		if n.key.compare(&at.key) < 0 {
			at = at.left
		} else {
			at = at.right
		}
	}
}

// aged returns the first node that was overtaken so many times, or more; nil if none was.
func (l *line) aged(times int) *node {
	n := l.root
	if n == nil || n.most < times {
		return nil
	}
	for {
		n.settle()
		switch {
		case n.left != nil && n.left.most >= times:
			n = n.left
		case n.overtaken >= times:
			return n
		default:
			n = n.right
		}
	}
}

// each yields the nodes in order, and stops when it is told.
func (l *line) each(yield func(*node) bool) bool { return each(l.root, yield) }

func each(n *node, yield func(*node) bool) bool {
	if n == nil {
		return true
	}
	n.settle()
	return each(n.left, yield) && yield(n) && each(n.right, yield)
}

func first(n *node, room quota.Vector, last *key, accept func(*node) bool) *node {
	if n == nil || !n.least.Fits(room) {
		return nil
	}
	if last != nil && n.key.compare(last) > 0 {
		return first(n.left, room, last, accept)
	}
	if found := first(n.left, room, nil, accept); found != nil {
		return found
	}
	if n.asks.Fits(room) && accept(n) {
		return n
	}
	return first(n.right, room, last, accept)
}

func overtake(n *node, k *key, by int) {
	if n == nil {
		return
	}
	n.settle()
	if n.key.compare(k) < 0 {
		n.left.add(by)
		n.overtaken += by
		overtake(n.right, k, by)
	} else {
		overtake(n.left, k, by)
	}
	n.sum()
}

func insert(t, n *node) *node {
	if t == nil {
		n.sum()
		return n
	}
	t.settle()
	switch {
	case n.random > t.random:
		n.left, n.right = split(t, &n.key)
		n.sum()
		return n
	case n.key.compare(&t.key) < 0:
		t.left = insert(t.left, n)
	default:
		t.right = insert(t.right, n)
	}
	t.sum()
	return t
}

func remove(t, n *node) *node {
	t.settle()
	switch {
	case t == n:
		return merge(t.left, t.right)
	case n.key.compare(&t.key) < 0:
		t.left = remove(t.left, n)
	default:
		t.right = remove(t.right, n)
	}
	t.sum()
	return t
}

// split returns what comes before a key and what does not.
func split(t *node, k *key) (before, after *node) {
	if t == nil {
		return nil, nil
	}
	t.settle()
	if t.key.compare(k) < 0 {
		t.right, after = split(t.right, k)
		t.sum()
		return t, after
	}
	before, t.left = split(t.left, k)
	t.sum()
	return before, t
}

// merge joins two trees of which all of the first comes before all of the second.
func merge(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.random > b.random:
		a.settle()
		a.right = merge(a.right, b)
		a.sum()
		return a
	}
	b.settle()
	b.left = merge(a, b.left)
	b.sum()
	return b
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return n.size
}

// add notes that all of a tree were overtaken.
func (n *node) add(by int) {
	if n != nil {
		n.overtaken += by
		n.most += by
		n.owed += by
	}
}

// settle hands down what is owed.
func (n *node) settle() {
	if n.owed != 0 {
		n.left.add(n.owed)
		n.right.add(n.owed)
		n.owed = 0
	}
}

// sum works out what is known of the tree below.
func (n *node) sum() {
	n.size, n.most = n.left.count()+n.right.count()+1, n.overtaken
	copy(n.least, n.asks)
	for _, child := range [...]*node{n.left, n.right} {
		if child != nil {
			lower(n.least, child.least)
			n.most = max(n.most, child.most)
		}
	}
}

// lower lowers amounts to others.
func lower(least, to quota.Vector) {
	for r := range least {
		least[r] = min(least[r], to[r])
	}
}

// scatter returns the random number of the n-th node that was made. The constants are those
// of SplitMix64.
func scatter(n uint64) uint64 {
	n *= 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
