package demo

import (
	"math/rand/v2"
	"sort"
)

// ladder are the sizes of gangs, in pods.
var ladder = [...]int{2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// rung is the largest size of the ladder that is at most n, which is 2 or more.
func rung(n int) int {
	return ladder[sort.SearchInts(ladder[:], n+1)-1]
}

// sharesOf returns sizes of about count gangs with budget pods together, none
// larger than largest, and how many pods are left over. The first gang is as large
// as it may be; the others follow Zipf's law, the one at place i about 1/i of the
// first, give or take a quarter; what that leaves is filled with small ones.
//
//	size(i) = rung(budget / (i * H)),  H = 1 + 1/2 + ... + 1/count
func sharesOf(r *rand.Rand, budget, count, largest int) (sizes []int, left int) {
	const scale = 1 << 20 // of the harmonic sum, in integers
	harmonic := 0
	for i := 1; i <= count; i++ {
		harmonic += scale / i
	}
	left = budget
	add := func(size int) {
		sizes = append(sizes, size)
		left -= size
	}
	for i := 1; i <= count; i++ {
		// Each of those that follow gets 2 pods at least.
		most := min(left-2*(count-i), largest)
		if most < 2 {
			break
		}
		want := budget * scale / (i * harmonic) * (75 + r.IntN(51)) / 100
		if i == 1 {
			want = largest
		}
		add(rung(min(max(want, 2), most)))
	}
	for left >= 2 {
		most := rung(min(left, largest, 64))
		add(ladder[r.IntN(sort.SearchInts(ladder[:], most)+1)])
	}
	return sizes, left
}
