package main

import (
	"math/rand/v2"
	"strconv"
)

// A job is one pod that comes, waits for its GPUs, and runs.
type job struct {
	number int
	gpus   int
	// comes is when it comes, and runs how long it runs, in mean run times.
	comes, runs float64
}

func (j job) name() string { return "job-" + strconv.Itoa(j.number) }

// mix are the sizes of jobs, in GPUs, each with its part of the jobs in percent.
var mix = []struct{ gpus, percent int }{{1, 35}, {2, 30}, {3, 5}, {4, 30}}

// meanSize is the mean of the sizes in GPUs.
func meanSize() float64 {
	var sum float64
	for _, m := range mix {
		sum += float64(m.gpus*m.percent) / 100
	}
	return sum
}

// stream returns jobs that ask for a part of so many GPUs in the mean, in the order in
// which they come; the same for the same arguments. The sizes and run times of a seed are
// the same at every load.
func stream(seed uint64, jobs int, load float64, gpus int) []job {
	random := rand.New(rand.NewPCG(seed, 3))
	rate := load * float64(gpus) / meanSize() // jobs in a mean run time
	out := make([]job, jobs)
	now := 0.0
	for i := range out {
		now += random.ExpFloat64() / rate
		out[i] = job{number: i, gpus: size(random.IntN(100)), comes: now, runs: random.ExpFloat64()}
	}
	return out
}

// size returns the size of the job at a place of a hundred.
func size(place int) int {
	for _, m := range mix {
		if place -= m.percent; place < 0 {
			return m.gpus
		}
	}
	return mix[len(mix)-1].gpus
}
