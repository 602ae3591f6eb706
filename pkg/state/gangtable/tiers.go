package gangtable

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// ResolveTiers returns what a gang asks for with label keys in the place of tiers (see
// package dialect), and of levels that no node has and whose name is itself a label of
// nodes: rack where nodes have no topology.kubernetes.io/rack. labelled reports whether any
// node has a label with a key. Of tiers that no label is for, a preferred one is not asked
// for, and a required one stays: why then says what is wrong with it, and is empty else.
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
	for _, level := range []*string{&resolved.Required, &resolved.Preferred, &resolved.SegmentLevel} {
		if name := bareName(*level, labelled); name != "" && labelled(name) {
			*level = name
		}
	}
	return resolved, why
}

// bareName returns the name of a level that no node has.
func bareName(level string, labelled func(key string) bool) string {
	if level == "" || labelled(level) {
		return ""
	}
	return dialect.LevelName(level)
}

// nodesDecide reports whether other labels of nodes may make other levels of what a gang
// asks for.
func nodesDecide(asked gang.Topology, labelled func(key string) bool) bool {
	for _, level := range []string{asked.Required, asked.Preferred, asked.SegmentLevel} {
		if _, tier := dialect.Tier(level); tier || bareName(level, labelled) != "" {
			return true
		}
	}
	return false
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

// levelHint says which names there are, of a level that may be a misspelt one.
func levelHint(level string) string {
	if strings.Contains(level, "/") {
		return ""
	}
	return "; levels that have a name are " + dialect.LevelNames
}
