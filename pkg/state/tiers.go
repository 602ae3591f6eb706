package state

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// ResolveTiers returns what a gang asks for with label keys in the place of tiers (see
// package dialect). labelled reports whether any node has a label with a key. Of tiers that
// no label is for, a preferred one is not asked for, and a required one stays: why then says
// what is wrong with it, and is empty else.
func ResolveTiers(asked gang.Topology, labelled func(key string) bool) (resolved gang.Topology, why string) {
	resolved = asked
	if n, ok := dialect.Tier(asked.Required); ok {
		tiers := dialect.Tiers(labelled)
		if n <= int64(len(tiers)) {
			resolved.Required = tiers[n-1]
		} else {
			why = fmt.Sprintf("%s, and nodes have labels of %s", asked.Required, tiersText(tiers))
		}
	}
	if n, ok := dialect.Tier(asked.Preferred); ok {
		resolved.Preferred = ""
		if tiers := dialect.Tiers(labelled); n <= int64(len(tiers)) {
			resolved.Preferred = tiers[n-1]
		}
	}
	return resolved, why
}

// tiersText says which tiers there are.
func tiersText(tiers []string) string {
	switch len(tiers) {
	case 0:
		return "no tier"
	case 1:
		return "1 tier only: " + tiers[0]
	}
	return fmt.Sprintf("%d tiers only: %s", len(tiers), strings.Join(tiers, ", "))
}
