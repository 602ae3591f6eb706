package pack

import "github.com/berth-dev/berth/pkg/core/topology"

// MaxWeight is the largest weight of CPU or memory in a Policy.
const MaxWeight = 100

// Policy says which of the nodes with room is offered first.
type Policy struct {
	// Spread offers the emptiest node first instead of the tightest.
	Spread bool
	// CPU and Memory weigh the levels of what is free, each from 0 to MaxWeight. A
	// level is a factor of two, so 1 and 1 compare the product of CPU and memory.
	CPU, Memory int32
}

// The bits of a rank, from the least: what decides first comes last.
const (
	levelBits    = 6
	heldBits     = 5
	weightedBits = 14 // 2 levels of at most 63, times MaxWeight
	deviceBits   = 8
	costBits     = 10
	lossBits     = 8

	restBits  = weightedBits + heldBits + 2*levelBits
	placeBits = lossBits + deviceBits + costBits + restBits
)

// fullness returns the place of a shape in the order of a policy, whatever is asked for:
// the lower, the earlier it is offered.
func (p Policy) fullness(s shape) int64 {
	devices := int64(s.devices)
	rest := int64(p.CPU)*int64(s.cpu) + int64(p.Memory)*int64(s.memory)
	rest = rest<<heldBits | int64(maxHeld-s.held)
	rest = rest<<levelBits | int64(s.cpu)
	rest = rest<<levelBits | int64(s.memory)
	if p.Spread {
		devices ^= 1<<deviceBits - 1
		rest ^= 1<<restBits - 1
	}
	return devices<<(costBits+restBits) | rest
}

// rank returns the place of a shape among those that have the devices of a request: the
// lower, the earlier it is offered, in the order that the package doc states.
func (ix *Index) rank(p Policy, s shape, request Amounts) int64 {
	r := p.fullness(s)
	if request.Devices <= 0 {
		if s.kind != NoDevice {
			// Nodes with devices come last for a request without.
			r |= 1 << placeBits
		}
		return r
	}
	choice, _ := ix.choose(s, request)
	r |= min(int64(choice.Cost), 1<<costBits-1) << restBits
	const worst = 1<<lossBits - 1
	return r | (worst-int64(choice.Ratio)*worst/topology.Unit)<<(deviceBits+costBits+restBits)
}

// Rank returns the place of a node among those that have room for a request, by what it
// has free: nodes are offered by rank, lowest first, and those of one rank by number. It
// is not negative and below 1<<58. It need not be a node of the index.
func (ix *Index) Rank(p Policy, free, request Amounts) int64 {
	return ix.rank(p, ix.shapeOf(free), request)
}
