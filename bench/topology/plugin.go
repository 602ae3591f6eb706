package main

import (
	"math/rand/v2"
	"slices"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// devicePlugin picks devices as the device plugin of NVIDIA does by its default policy,
// best effort:
//
//   - The free devices come in an order of their own, which is random here.
//   - For one device, it takes the first.
//   - Otherwise it divides them, in all ways there are, into sets as large as what is
//     asked for; if that leaves a rest, the rest is one set of its own. It takes the first
//     way whose sets have the highest sum of scores, and of that way the first set with
//     the highest score. The rest is not taken.
//   - The score of a set is the sum over its pairs.
type devicePlugin struct {
	scores [topology.MaxDevices][topology.MaxDevices]int
}

// pathScores are what the plugin gives for the PCIe path of a pair, NVLinks or not.
var pathScores = map[topology.Path]int{
	topology.System: 10, topology.Node: 20, topology.HostBridge: 30, topology.Bridges: 40, topology.Bridge: 50,
}

// linkScore is what it gives for each NVLink between the two of a pair.
const linkScore = 100

func newDevicePlugin(matrix *topology.Matrix) *devicePlugin {
	p := &devicePlugin{}
	for a := range matrix.Devices {
		for b := range matrix.Devices {
			if link := matrix.Links[a][b]; a != b {
				p.scores[a][b] = pathScores[link.Path]
				if !link.Switched {
					p.scores[a][b] += linkScore * int(link.NVLinks)
				}
			}
		}
	}
	return p
}

// padding fills up the set with the rest.
const padding = -1

// pick returns k of the free devices, of which there are as many at least.
func (p *devicePlugin) pick(k int, free topology.Mask, random *rand.Rand) (picked topology.Mask) {
	devices := slices.Collect(free.Each())
	random.Shuffle(len(devices), func(i, j int) { devices[i], devices[j] = devices[j], devices[i] })
	if k == 1 {
		return 1 << devices[0]
	}
	short := 0
	for ; len(devices)%k != 0; short++ {
		devices = append(devices, padding)
	}
	var best [][]int
	most := -1
	divide(devices, k, short, nil, func(way [][]int) {
		sum := 0
		for _, set := range way {
			sum += p.score(set)
		}
		if sum > most {
			most, best = sum, slices.Clone(way)
		}
	})
	highest := -1
	for _, set := range best {
		if score := p.score(set); score > highest && paddingIn(set) == 0 {
			highest, picked = score, 0
			for _, d := range set {
				picked |= 1 << d
			}
		}
	}
	return picked
}

// score is the sum over the pairs of a set.
func (p *devicePlugin) score(set []int) int {
	sum := 0
	for i, a := range set {
		for _, b := range set[:i] {
			if a != padding && b != padding {
				sum += p.scores[a][b]
			}
		}
	}
	return sum
}

// divide yields every way to divide devices into sets of k of which one has all the
// padding, so many, after the sets that are divided off already. The first device that is
// left is in the next set, so that each way is met once.
func divide(devices []int, k, short int, way [][]int, yield func([][]int)) {
	if len(devices) == k {
		yield(append(way, devices))
		return
	}
	choose(devices[1:], k-1, func(others []int) {
		set := append([]int{devices[0]}, others...)
		if n := paddingIn(set); n != 0 && n != short {
			return
		}
		rest := slices.DeleteFunc(slices.Clone(devices), func(d int) bool { return slices.Contains(set, d) })
		divide(rest, k, short, append(way[:len(way):len(way)], set), yield)
	})
}

func paddingIn(set []int) (n int) {
	for _, d := range set {
		if d == padding {
			n++
		}
	}
	return n
}

// choose yields the sets of n devices, in the order of the devices. The set is not kept.
func choose(devices []int, n int, yield func([]int)) {
	var from func(at int, set []int)
	from = func(at int, set []int) {
		if len(set) == n {
			yield(set)
			return
		}
		for i := at; i < len(devices); i++ {
			from(i+1, append(set[:len(set):len(set)], devices[i]))
		}
	}
	from(0, nil)
}
