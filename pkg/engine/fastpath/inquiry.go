package fastpath

import (
	"maps"

	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// Settings returns what the configuration says of decisions on pods of a profile; false if the
// index knows no such profile. They do not change once the scheduler runs.
func (p *Path) Settings(profile string) (nodeindex.Settings, bool) {
	if p.profiles[profile] == nil {
		return nodeindex.Settings{}, false
	}
	s := nodeindex.Settings{Policy: p.policies[profile], Devices: p.devices, Sizes: topology.DefaultSizes()}
	if p.topology != nil {
		s.Picker, s.Sizes = p.topology.TopologyPicker(), p.topology.TopologySizes()
	}
	return s, true
}

// Kept returns the room that is kept for others, by the name of who waits.
func (p *Path) Kept() map[string]Reservation {
	if p.reservations.kept.Load() == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.reservations.of) // a room is replaced and never changed
}

// Profile returns the first profile by name that the index knows; "" if there is none.
func (p *Path) Profile() string {
	first := ""
	for name := range p.profiles {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}
