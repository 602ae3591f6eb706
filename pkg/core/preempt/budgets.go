package preempt

import (
	"fmt"
	"strings"
)

// Budget says how many of the pods that it protects may be disrupted now, as a
// PodDisruptionBudget does.
type Budget struct {
	Name string
	// Allowed is how many may be; less than 0 counts as 0.
	Allowed int
	// Why says why none may be, whatever Allowed is; "" if that is what counts.
	Why string
}

// Disruptions counts pods against the budgets that protect them. The zero value has
// counted none.
//
// To ask for the eviction of one pod after another, on trial, does not add up: under a
// budget that allows one, each of eight is granted. So the pods of a gang are counted, for
// each budget, and all may go or none.
type Disruptions struct {
	taken map[*Budget]int
}

// Protection says why pods may not go: what a budget allows, or that several budgets protect
// one pod, which the API server refuses to evict then.
type Protection struct {
	// Budgets is the one that allows too few, or the several of one pod.
	Budgets []*Budget
	// Pods are how many would have to go that the budget protects, with those before.
	Pods int
}

// Take counts pods as gone, of each of which the budgets are given that protect it, and
// returns how to undo that; or why they may not go, and counts none. Of several reasons it
// gives the first in the order of the pods.
func (d *Disruptions) Take(pods [][]*Budget) (undo func(), why *Protection) {
	wants := map[*Budget]int{}
	for _, budgets := range pods {
		if len(budgets) > 1 {
			return nil, &Protection{Budgets: budgets, Pods: 1}
		}
		for _, b := range budgets {
			wants[b]++
		}
	}
	for _, budgets := range pods {
		for _, b := range budgets {
			if n := d.taken[b] + wants[b]; b.Why != "" || n > b.Allowed {
				return nil, &Protection{Budgets: budgets, Pods: n}
			}
		}
	}
	d.add(wants, 1)
	return func() { d.add(wants, -1) }, nil
}

func (d *Disruptions) add(wants map[*Budget]int, times int) {
	if d.taken == nil {
		d.taken = map[*Budget]int{}
	}
	for b, n := range wants {
		d.taken[b] += times * n
	}
}

// Sentence says what protects the pods.
func (p *Protection) Sentence() string {
	if len(p.Budgets) > 1 {
		names := make([]string, len(p.Budgets))
		for i, b := range p.Budgets {
			names[i] = fmt.Sprintf("%q", b.Name)
		}
		return fmt.Sprintf("more than one disruption budget protects a pod that would have to go (%s), and then it cannot be evicted", strings.Join(names, ", "))
	}
	b := p.Budgets[0]
	if b.Why != "" {
		return fmt.Sprintf("disruption budget %q protects %s that would have to go: %s", b.Name, plural(p.Pods, "pod"), b.Why)
	}
	return fmt.Sprintf("disruption budget %q protects %s that would have to go, and allows %s", b.Name, plural(p.Pods, "pod"), plural(max(b.Allowed, 0), "disruption"))
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}
