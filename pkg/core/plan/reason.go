package plan

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// Code is a typed reason.
type Code string

const (
	// NoRoom: no domain has room for the gang.
	NoRoom Code = "NoRoom"
	// NoDomain: there is no domain of the level.
	NoDomain Code = "NoDomain"
	// Scattered: members that run are in no domain of the level, or in several.
	Scattered Code = "Scattered"
)

// Lack is what a domain is short of.
type Lack string

const (
	// LackDevices, LackCPU, LackMemory: with more of it, more pods would fit.
	LackDevices Lack = "devices"
	LackCPU     Lack = "cpu"
	LackMemory  Lack = "memory"
	// LackNodes: there is room, on nodes that the pods may not go to, or in pieces.
	LackNodes Lack = "nodes"
)

// Reason says why a gang has no place: for each level that was tried, in their order.
type Reason struct {
	Code   Code
	Levels []LevelReason
}

// LevelReason says which domain of a level came closest.
type LevelReason struct {
	// Level is fabric.NoLevel for the whole cluster.
	Level fabric.Level
	// Closest is the domain that holds most of the gang; fabric.NoDomain if there is none.
	Closest pack.DomainID
	// Short is how many pods it is short of, and Of what; 0 where counts alone do not tell.
	Short int
	Of    Lack
	// Scattered says that members run in no domain of the level, or in several.
	Scattered bool
}

// lacks are the words for what a domain is short of.
var lacks = map[Lack]string{
	LackDevices: "GPUs",
	LackCPU:     "CPU",
	LackMemory:  "memory",
	LackNodes:   "nodes that the pods may use, or room in one piece",
}

// Sentence says why a gang of so many pods has no place, level by level.
func (r *Reason) Sentence(f *fabric.Fabric, pods int) string {
	parts := make([]string, 0, len(r.Levels))
	for _, l := range r.Levels {
		parts = append(parts, l.Sentence(f, pods))
	}
	return strings.Join(parts, "; ")
}

// Sentence says what came closest.
func (l LevelReason) Sentence(f *fabric.Fabric, pods int) string {
	level, where := "the cluster", "it"
	if l.Level != fabric.NoLevel {
		level = f.Key(l.Level)
	}
	switch {
	case l.Scattered:
		return fmt.Sprintf("pods of the gang run in no domain of %s, or in several", level)
	case l.Closest == fabric.NoDomain && l.Level == fabric.NoLevel:
		return "the cluster has no nodes"
	case l.Closest == fabric.NoDomain:
		return fmt.Sprintf("no node has the label %s", level)
	case l.Level != fabric.NoLevel:
		where = fmt.Sprintf("%q", f.Domain(l.Closest).Name)
		level = "no domain of " + level
	default:
		level = "not even the cluster"
	}
	short := ""
	if l.Short > 0 {
		short = fmt.Sprintf("%d pods ", l.Short)
	}
	return fmt.Sprintf("%s holds %d pods: %s comes closest, %sshort of %s", level, pods, where, short, lacks[l.Of])
}

// settle gives the reason its code: that of the last level, which is the widest.
func (r *Reason) settle() *Reason {
	r.Code = NoRoom
	switch last := r.Levels[len(r.Levels)-1]; {
	case last.Scattered:
		r.Code = Scattered
	case last.Closest == fabric.NoDomain:
		r.Code = NoDomain
	}
	return r
}

// closest is the domain that holds most.
type closest struct {
	room  room
	known bool
}

// consider takes a domain in.
func (c *closest) consider(a *attempt, r room, want counts) {
	if !c.known || a.some(r, want) > a.some(c.room, want) || a.some(r, want) == a.some(c.room, want) && a.byPath(r.domain, c.room.domain) < 0 {
		c.room, c.known = r, true
	}
}

func (c *closest) reason(a *attempt, level fabric.Level, want counts) LevelReason {
	if !c.known {
		return LevelReason{Level: level, Closest: fabric.NoDomain}
	}
	out := LevelReason{Level: level, Closest: c.room.domain, Of: LackNodes}
	for class, n := range want {
		request := a.classes[class].request
		out.Short += max(0, n-c.room.slots[class])
		if n <= c.room.slots[class] {
			continue
		}
		bare := func(change func(*pack.Amounts)) bool {
			other := request
			change(&other)
			return a.Index.Slots(c.room.domain, other) >= int64(n)
		}
		switch {
		case request.Devices > 0 && !bare(func(r *pack.Amounts) { r.CPU, r.Memory = 0, 0 }):
			out.Of = LackDevices
		case bare(func(r *pack.Amounts) { r.CPU = 0 }):
			out.Of = LackCPU
		case bare(func(r *pack.Amounts) { r.Memory = 0 }):
			out.Of = LackMemory
		}
	}
	if out.Short == 0 && a.devices(want) > c.room.free {
		// Each class fits for itself, and not all of them together.
		out.Of = LackDevices
	}
	return out
}
