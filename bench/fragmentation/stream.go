package main

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// A gang is pods that come together, wait for a node each, and run.
type gang struct {
	number int
	// size is its pods, which are the nodes that it takes.
	size int
	// comes is when it comes, and runs how long it runs, in mean run times.
	comes, runs float64
}

func (g gang) name() string { return "gang-" + strconv.Itoa(g.number) }

// params say which gangs come to which cluster: results with the same are comparable.
type params struct {
	Seed uint64 `json:"seed"`
	// Load is the nodes that are asked for in the mean, in percent of all.
	Load int `json:"load"`
	// Racks have NodesInRack nodes each. RacksInBlock in a row are a block; the last block
	// has what is left.
	Racks        int `json:"racks"`
	NodesInRack  int `json:"nodes_in_rack"`
	RacksInBlock int `json:"racks_in_block"`
	// Smallest and Largest are the sizes of gangs.
	Smallest int `json:"smallest"`
	Largest  int `json:"largest"`
}

// meanSize is the mean of the sizes in nodes.
func (p params) meanSize() float64 {
	var sum float64
	for size := p.Smallest; size <= p.Largest; size++ {
		sum += float64(size) * p.part(size)
	}
	return sum
}

// part returns the part of the gangs that has a size: its share of the logarithms from the
// smallest size to that after the largest.
func (p params) part(size int) float64 {
	return math.Log(float64(size+1)/float64(size)) / math.Log(float64(p.Largest+1)/float64(p.Smallest))
}

// rate is how many gangs come in a mean run time.
func (p params) rate() float64 {
	return float64(p.Load) / 100 * float64(p.nodes()) / p.meanSize()
}

// stream returns the first n gangs, in the order in which they come. Those of fewer are the
// first of more, and sizes and run times are the same at every load.
func (p params) stream(n int) []gang {
	random := rand.New(rand.NewPCG(p.Seed, 5))
	out := make([]gang, n)
	now := 0.0
	for i := range out {
		now += random.ExpFloat64() / p.rate()
		log := random.Float64() * math.Log(float64(p.Largest+1)/float64(p.Smallest))
		size := min(int(float64(p.Smallest)*math.Exp(log)), p.Largest)
		out[i] = gang{number: i, size: size, comes: now, runs: random.ExpFloat64()}
	}
	return out
}
