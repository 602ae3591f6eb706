package record

import (
	"slices"
	"strings"
)

// MessageKey returns a message less its counts and the order of its parts:
// "0/2500 nodes are available: 12 Insufficient cpu, 3 node(s) had taints" stays the
// same reason when 12 becomes 2, upon which the scheduler names the taints first. A
// number that belongs to a name, as in pod "worker-3", is kept.
func MessageKey(message string) string {
	words := strings.Fields(message)
	for i, word := range words {
		word = strings.Trim(word, ".,;:")
		if strings.Trim(word, "0123456789/.,;:()") == "" {
			word = "#"
		}
		words[i] = word
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// recentLimit is how many things are remembered as said.
const recentLimit = 4

// Recent is what was said last: what is said in turns is said once each.
type Recent []string

// News reports whether something was not said lately, and takes it for said.
func (r *Recent) News(said string) bool {
	if slices.Contains(*r, said) {
		return false
	}
	if len(*r) == recentLimit {
		*r = slices.Delete(*r, 0, 1)
	}
	*r = append(*r, said)
	return true
}
