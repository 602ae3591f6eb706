package remedy

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// mostHalvings is how often what a pod may ask for is narrowed: to the byte, below a tebibyte.
const mostHalvings = 40

// less looks for how much CPU or memory a pod may ask for at most, where less of one of them
// alone helps.
func (f *finder) less() (Remedy, bool) {
	for _, one := range [...]struct {
		short Constraint
		of    func(*plan.Pod) *int64
	}{
		{CPU, func(pod *plan.Pod) *int64 { return &pod.Request.CPU }},
		{Memory, func(pod *plan.Pod) *int64 { return &pod.Request.Memory }},
	} {
		asked := int64(0)
		for i := range f.request.Pods {
			asked = max(asked, *one.of(&f.request.Pods[i]))
		}
		atMost := func(amount int64) bool {
			_, fits := f.fits(f.changed(func(_ int, pod *plan.Pod) { *one.of(pod) = min(*one.of(pod), amount) }))
			return fits
		}
		// With nothing at all it is another question than with a little.
		if asked <= 1 || !atMost(1) {
			continue
		}
		low, high := int64(1), asked // fits, does not fit
		for steps := 0; high-low > 1 && steps < mostHalvings; steps++ {
			if middle := low + (high-low)/2; atMost(middle) {
				low = middle
			} else {
				high = middle
			}
		}
		return Remedy{Kind: AskLess, Level: fabric.NoLevel, Short: one.short, Amount: low}, true
	}
	return Remedy{}, false
}

// fewer looks for how many of its pods would have a place now, if it needed no more.
func (f *finder) fewer() (Remedy, bool) {
	r := Remedy{Kind: FewerPods, Level: fabric.NoLevel}
	for _, p := range f.places() {
		if most := f.trial.Most(p.domain); most > r.Count && most < f.request.Least {
			r.Level, r.Domain, r.Count = p.level, p.domain, most
		}
	}
	if r.Count == 0 {
		return Remedy{}, false
	}
	holds := func(n int) bool {
		_, fits := f.fits(f.first(n))
		return fits
	}
	if !holds(r.Count) {
		// It fits there in part alone: the most that fit whole, anywhere.
		above, some := least(r.Count, func(n int) bool { return !holds(n) })
		if r = (Remedy{Kind: FewerPods, Level: fabric.NoLevel, Count: above - 1}); !some || r.Count < 1 || !holds(r.Count) {
			return Remedy{}, false
		}
	}
	return r, true
}

// first is the request of a gang of so many pods, the first by rank.
func (f *finder) first(n int) plan.Request {
	request := f.request.Request
	request.Pods = slices.Clone(request.Pods)
	slices.SortStableFunc(request.Pods, func(a, b plan.Pod) int { return a.Rank - b.Rank })
	request.Pods = request.Pods[:min(n, len(request.Pods))]
	request.Least = min(n, request.Least)
	return request
}
