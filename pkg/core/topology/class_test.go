package topology

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestMemoryOfAClass asks for the kinds of some hundred sets of 16 devices, that is, for
// nearly every choice that there is of these.
func TestMemoryOfAClass(t *testing.T) {
	const sets, most = 300, 4 << 20
	for _, picker := range []Picker{DevicePlugin, Scheduler} {
		heap := func() int64 {
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			return int64(stats.HeapAlloc)
		}
		before := heap()
		c := NewClass(twoSocketsOf16(), picker, DefaultSizes())
		random := rand.New(rand.NewPCG(1, 6))
		for range sets {
			c.KindOf(Mask(random.IntN(1 << 16)))
		}
		if took := heap() - before; took > most {
			t.Errorf("picker %d: %d KiB after %d sets, want at most %d", picker, took>>10, sets, most>>10)
		}
		runtime.KeepAlive(c)
	}
}

// TestMostKinds has every set of 16 devices of a kind of its own, and one more than a
// Kind can number from 1.
func TestMostKinds(t *testing.T) {
	c := NewClass(Matrix{Devices: 16}, Scheduler, DefaultSizes())
	c.kinds = kinds{of: make([]Kind, 1<<16), byText: map[string]Kind{}, first: []Mask{0}}
	for free := range All(16) {
		c.kinds.of[free+1] = Kind(len(c.kinds.first))
		c.kinds.first = append(c.kinds.first, free+1)
	}
	for _, free := range []Mask{0, 1, 1 << 15, All(16)} {
		if got := c.Example(c.KindOf(free)); got != free {
			t.Errorf("the example of the kind of %b is %b", free, got)
		}
	}
}
