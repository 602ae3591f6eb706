package topology

// Unit is what is whole: a quality as good as the ideal, a cost of everything.
const Unit = 1 << 10

// Picker says who picks the devices of a pod on its node.
type Picker uint8

const (
	// DevicePlugin is the device plugin of NVIDIA with its default policy. It knows
	// nothing of the pod, and can be predicted but not told; see stock.go.
	DevicePlugin Picker = iota
	// Scheduler is the scheduler: the best set is what the pod gets.
	Scheduler
)

// Sizes weigh how many devices pods ask for at once: Sizes[k] for pods of k.
type Sizes [MaxDevices + 1]uint8

// DefaultSizes weigh the sizes in which most pods come, and which a machine is divided
// into without a rest.
func DefaultSizes() Sizes { return Sizes{2: 1, 4: 1, 8: 1, 16: 1} }

// Choice is the set of devices that a pod gets. Where the picker is the device plugin,
// which picks any of several sets, Set is the first of them and the rest a mean.
type Choice struct {
	// Quality is the ring bandwidth in MB/s; 0 for one device.
	Quality int32
	Set     Mask
	// Ratio is Quality over that of the best set of an idle machine, in Unit; Unit for
	// one device.
	Ratio uint16
	// Cost is how much of what the free devices were worth is lost, in Unit: see Left.
	Cost uint16

	known knowledge
}

type knowledge uint8

const (
	notKnown knowledge = iota
	noSet
	hasSet
)

// Class is a class of machines with the same matrix, and what follows from it: which
// set is best, for any devices that are free. It computes what it is asked for once and
// keeps it, so it is not safe for concurrent use.
type Class struct {
	matrix Matrix
	picker Picker
	sizes  Sizes

	// quality is the ring bandwidth of each set in MB/s, ideal the best of each size.
	quality []int32
	ideal   [MaxDevices + 1]int32
	// left is what each set is worth to pods to come, worth what all devices are.
	left  []int32
	worth int32
	// level is the link that every pair of a set has at least, numas the number of
	// NUMA nodes of a set, nics the sum of its paths to network adapters, scores what
	// the device plugin thinks of it.
	level  []Level
	numas  []uint8
	nics   []uint8
	scores []int32
	// alike says that all sets of a size are equally good.
	alike bool

	// choices are those that were asked for, by the free devices, then by k and level.
	choices [][]Choice
	kinds   kinds
}

// NewClass returns the class of a matrix. Rates that are 0 are those of a machine of
// which nothing is known, and none is above MaxRate.
func NewClass(matrix Matrix, picker Picker, sizes Sizes) *Class {
	matrix.Rates = matrix.Rates.Or(defaultRates).clamp()
	c := &Class{matrix: matrix, picker: picker, sizes: sizes}
	c.quality = matrix.qualities(searchSteps)
	for mask, q := range c.quality {
		k := Mask(mask).Len()
		c.ideal[k] = max(c.ideal[k], q)
	}
	c.choices = make([][]Choice, len(c.quality))
	c.describe()
	c.value()
	c.alike = c.allAlike()
	return c
}

// Devices returns how many devices a machine of the class has.
func (c *Class) Devices() int { return c.matrix.Devices }

// Quality returns the ring bandwidth of a set in MB/s; 0 for less than two devices.
func (c *Class) Quality(set Mask) int32 { return c.quality[set] }

// Ideal returns that of the best set of k devices of an idle machine.
func (c *Class) Ideal(k int) int32 { return c.ideal[k] }

// Level returns the link that every pair of a set has at least.
func (c *Class) Level(set Mask) Level { return c.level[set] }

// Left returns what free devices are worth to pods to come, in Unit for each weight:
//
//	the sum over k of sizes[k] x quality of the best k of them / ideal of k
func (c *Class) Left(free Mask) int32 { return c.left[free] }

// ratio returns a quality over the ideal of k devices, in Unit.
func (c *Class) ratio(k int, quality int32) int32 {
	switch {
	case quality < 0 || k < 1:
		return 0
	case c.ideal[k] == 0: // one device
		return Unit
	}
	return int32(int64(quality) * Unit / int64(c.ideal[k]))
}

// describe computes, from smaller sets to larger, what sets are like.
func (c *Class) describe() {
	n := c.matrix.Devices
	c.level, c.numas = make([]Level, 1<<n), make([]uint8, 1<<n)
	c.nics, c.scores = make([]uint8, 1<<n), make([]int32, 1<<n)
	var near [MaxDevices]Mask // the devices of the same NUMA node
	for a := range n {
		for b := range n {
			if c.matrix.NUMA[a] == c.matrix.NUMA[b] {
				near[a] |= 1 << b
			}
		}
	}
	c.level[0] = NVLink
	for set := 1; set < 1<<n; set++ {
		first := Mask(set).lowest()
		rest := Mask(set) & Mask(set-1)
		c.level[set], c.numas[set] = c.level[rest], c.numas[rest]
		c.nics[set] = c.nics[rest] + uint8(c.matrix.NIC[first])
		c.scores[set] = c.scores[rest]
		if near[first]&rest == 0 {
			c.numas[set]++
		}
		for peer := range rest.Each() {
			link := c.matrix.Links[first][peer]
			c.level[set] = min(c.level[set], link.level())
			c.scores[set] += pairScore(link)
		}
	}
}

// value computes what free devices are worth.
func (c *Class) value() {
	n := c.matrix.Devices
	c.left = make([]int32, 1<<n)
	best := make([]int32, 1<<n)
	for k := 1; k <= n; k++ {
		if c.sizes[k] == 0 {
			continue
		}
		for free := range 1 << n {
			switch size := Mask(free).Len(); {
			case size < k:
				best[free] = -1
			case size == k:
				best[free] = c.quality[free]
			default:
				best[free] = 0
				for m := Mask(free); m != 0; m &= m - 1 {
					best[free] = max(best[free], best[Mask(free)&^(m&-m)])
				}
			}
			c.left[free] += int32(c.sizes[k]) * c.ratio(k, best[free])
		}
	}
	c.worth = max(c.left[1<<n-1], 1)
}

// allAlike reports whether all sets of a size have one quality and all pairs one level:
// as on a machine with a switch.
func (c *Class) allAlike() bool {
	all := c.level[len(c.level)-1]
	for mask, q := range c.quality {
		k := Mask(mask).Len()
		if q != c.ideal[k] || k == 2 && c.level[mask] != all {
			return false
		}
	}
	return true
}
