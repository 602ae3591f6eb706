package repair

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// log is a twin of Refusals that keeps every refusal that counts and works all out anew.
type log map[string][]int64

// until returns until when a node is avoided, and how often it has refused in a row; 0 if it never
// did.
func (l log) until(node string) (until int64, times int) {
	for _, at := range l[node] {
		if times > 0 && at >= until+Remembered {
			times = 0
		}
		times++
		long := int64(FirstAvoidance)
		for i := 1; i < times; i++ {
			if long *= 2; long > MostAvoidance {
				long = MostAvoidance
			}
		}
		until = at + long
	}
	return until, times
}

func TestRefusalsAgainstTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	most := 0
	for range 2_000 {
		var r Refusals
		l, now := log{}, int64(1000)
		for range 40 {
			now += int64(random.IntN(4)*random.IntN(4)) * int64(1+random.IntN(80))
			node := fmt.Sprint("n", random.IntN(3))
			if random.IntN(3) > 0 {
				r.Add(node, now)
				if until, times := l.until(node); times == 0 || now >= until {
					l[node] = append(l[node], now)
				}
			}
			var avoided []Avoided
			var last []string
			for _, node := range []string{"n0", "n1", "n2"} {
				switch until, times := l.until(node); {
				case times == 0:
				case now < until:
					avoided = append(avoided, Avoided{node, times, until})
					most = max(most, times)
				case now < until+Remembered:
					last = append(last, node)
				}
			}
			gotAvoided, gotLast := r.At(now)
			if !slices.Equal(gotAvoided, avoided) || !slices.Equal(gotLast, last) {
				t.Fatalf("at %d: avoided %v, last %v; the twin %v, %v", now, gotAvoided, gotLast, avoided, last)
			}
		}
	}
	if most < 8 {
		t.Errorf("no node refused more than %d times in a row", most)
	}
}

// However often a kubelet refuses, an owner that makes pods again at once loses few to it.
func TestRefusalsAreFew(t *testing.T) {
	var r Refusals
	refused := 0
	for now := int64(0); now < 3600; now++ {
		if avoided, _ := r.At(now); len(avoided) == 0 {
			r.Add("n", now)
			refused++
		}
	}
	if refused > 18 {
		t.Errorf("%d pods were refused in an hour", refused)
	}
}
