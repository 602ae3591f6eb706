package main

import (
	"fmt"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// query is what a pod asks for, and of what.
type query struct {
	k      int
	level  topology.Level
	picker topology.Picker
	free   topology.Mask
}

// outcome is what the pod gets.
type outcome struct {
	// set are the devices, none if there is no set; then reason says why.
	set    topology.Mask
	reason string
	// quality and ideal are in MB/s, 0 for one device. ratio is one over the other: 1
	// for one device, 0 if there is no set.
	quality, ideal int32
	ratio          float64
	// rest is what is left, and left what that is worth by size.
	rest topology.Mask
	left []share
}

// share is the quality of the best so many devices of those left, over the ideal.
type share struct {
	size  int
	ratio float64
}

// leftSizes are the sizes in which most pods come.
var leftSizes = [...]int{2, 4, 8, 16}

// choose is the answer to a query.
func choose(m machine, q query) outcome {
	class := topology.NewClass(m.matrix, q.picker, topology.DefaultSizes())
	o := outcome{rest: q.free}
	if q.k <= class.Devices() {
		o.ideal = class.Ideal(q.k)
	}
	if choice, ok := class.Choose(q.level, q.k, q.free); ok {
		o.set, o.quality, o.rest = choice.Set, choice.Quality, q.free&^choice.Set
		o.ratio = ratio(o.quality, o.ideal)
	} else {
		o.reason = whyNone(class, m, q)
	}
	for _, size := range leftSizes {
		if size <= class.Devices() {
			o.left = append(o.left, share{size, bestRatio(class, size, o.rest)})
		}
	}
	return o
}

// ratio is a quality over the ideal. One device has none of either, and is as good as
// any other.
func ratio(quality, ideal int32) float64 {
	if ideal == 0 {
		return 1
	}
	return float64(quality) / float64(ideal)
}

// bestRatio is the best quality of so many of the free devices, over the ideal; 0 if
// there are too few.
func bestRatio(class *topology.Class, size int, free topology.Mask) float64 {
	if free.Len() < size {
		return 0
	}
	var best int32
	for set := free; set != 0; set = (set - 1) & free {
		if set.Len() == size {
			best = max(best, class.Quality(set))
		}
	}
	return ratio(best, class.Ideal(size))
}

// whyNone says why there is no set, and what would be.
func whyNone(class *topology.Class, m machine, q query) string {
	free := q.free.Len()
	switch {
	case q.k > class.Devices():
		return fmt.Sprintf("%s has %d devices, and the pod asks for %d", m.name, class.Devices(), q.k)
	case free < q.k:
		return fmt.Sprintf("%d of %d devices are free, and the pod asks for %d", free, class.Devices(), q.k)
	case q.picker == topology.DevicePlugin:
		return fmt.Sprintf("the device plugin does not know of --link %s, and of the sets of %d that it may pick one has a pair without", q.level, q.k)
	}
	most := 0
	for set := q.free; set != 0; set = (set - 1) & q.free {
		if class.Level(set) >= q.level {
			most = max(most, set.Len())
		}
	}
	return fmt.Sprintf("no %d of the %d free devices have --link %s between every pair; the most that do are %d", q.k, free, q.level, most)
}
