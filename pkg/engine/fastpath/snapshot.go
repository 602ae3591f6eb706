package fastpath

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/cluster"
)

// Snapshot returns what the next decision will rest on, for pods of a profile; "" is the
// first by name. It is what the index has, and what the cache has of nodes that the index
// will read anew: pods of a gang that is being tried have no place in it, but the devices
// that they are tried with are theirs. It reads every pod, and holds up the scheduling loop
// meanwhile: it is for debugging.
func (p *Path) Snapshot(profile string) (*cluster.Snapshot, error) {
	if p.cache == nil {
		return nil, errors.New("no profile has the plugin NodePacking, so there is no index to take a snapshot of; enable it")
	}
	names := slices.Sorted(maps.Keys(p.profiles))
	if profile == "" {
		profile = names[0]
	}
	if p.profiles[profile] == nil {
		return nil, fmt.Errorf("profile %q has not the plugin NodePacking, or there is no such profile; those that have are %s", profile, strings.Join(names, ", "))
	}
	// As for Drift: no cycle may begin in between, and nothing may reach the cache.
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()

	cached := p.cache.Dump().Nodes
	stale := slices.Concat(p.cache.noted, p.touched, p.tentative)
	if p.unread {
		stale = slices.AppendSeq(slices.Collect(maps.Keys(cached)), p.index.Names())
	}
	fresh := map[string]fwk.NodeInfo{}
	for _, name := range stale {
		fresh[name] = nil
		if info := cached[name]; info != nil && info.Node() != nil {
			fresh[name] = info
		}
	}
	return p.index.Snapshot(p.policies[profile], fresh), nil
}
