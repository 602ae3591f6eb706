package window

import (
	"cmp"
	"container/heap"
)

// line has those of a namespace that wait, the first on top: by priority, then those that were
// never tried, and then by when they came.
type line []*entry

func (l line) Len() int { return len(l) }

func (l line) Less(i, j int) bool {
	a, b := l[i], l[j]
	if a.Priority == b.Priority && a.tried != b.tried {
		return b.tried
	}
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.came, b.came)) < 0
}

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].at, l[j].at = i, j
}

// Push and Pop are those of heap.Interface.
func (l *line) Push(x any) {
	e := x.(*entry)
	e.at = len(*l)
	*l = append(*l, e)
}

func (l *line) Pop() any {
	last := (*l)[len(*l)-1]
	(*l)[len(*l)-1] = nil
	*l = (*l)[:len(*l)-1]
	return last
}

func (l *line) put(e *entry)  { heap.Push(l, e) }
func (l *line) take(e *entry) { heap.Remove(l, e.at) }
func (l *line) first() *entry { return heap.Pop(l).(*entry) }
