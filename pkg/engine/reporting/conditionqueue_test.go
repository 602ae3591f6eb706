package reporting

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// Those that say nothing yet come first, one of each namespace after another; the others are
// not forgotten.
func TestConditionQueue(t *testing.T) {
	q := &conditionQueue{silent: func(name types.NamespacedName) bool { return !strings.HasPrefix(name.Name, "said") }}
	push := func(namespace string, names ...string) {
		for _, name := range names {
			q.Push(types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	take := func(n int) string {
		var out []string
		for range n {
			name := q.Pop()
			out = append(out, name.Namespace+"/"+name.Name)
		}
		return strings.Join(out, " ")
	}
	push("a", "said-0", "0", "1", "2", "3", "4", "5", "6", "7", "8")
	push("b", "said-0", "0")
	push("c", "0")
	if got, want := take(4), "a/0 b/0 c/0 a/1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	push("b", "1")
	if got, want := take(q.Len()-1), "a/2 b/1 a/3 a/4 a/said-0 a/5 a/6 a/7 a/8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := take(1), "b/said-0"; got != want || q.Len() != 0 {
		t.Errorf("%s, want %s; %d are left", got, want, q.Len())
	}
}
