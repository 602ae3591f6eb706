package queueing

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/core/quota"
)

// Modes are the rules by which room is taken back, in the order in which they are tried.
func Modes() []quota.Mode { return []quota.Mode{quota.ByGuarantee, quota.ByShare, quota.Straddling} }

// Permit returns who may go by the rules of a mode.
func (r *Reclaim) Permit(mode quota.Mode) (preempt.Permit, error) {
	simulation, err := r.usage.Reclaim(r.claim, mode, r.shares)
	if err != nil {
		return nil, fmt.Errorf("charging %s on trial: %w", r.Name, err)
	}
	return &permit{reclaim: r, simulation: simulation}, nil
}

// BudgetsRefused reports whether a budget has protected anybody so far who would have gone
// otherwise. If not, a search without budgets finds nobody else.
func (r *Reclaim) BudgetsRefused() bool { return r.refused }

// WithoutBudgets has budgets protect nobody while f runs.
func (r *Reclaim) WithoutBudgets(f func()) {
	r.unprotected = true
	defer func() { r.unprotected = false }()
	f()
}

// Protected returns why pods may not go together, by the budgets that protect them; nil if
// they may.
func (r *Reclaim) Protected(pods []*corev1.Pod) *preempt.Protection {
	if r.budgets == nil {
		return nil
	}
	return r.budgets.Protect(pods)
}

// protecting returns the budgets that protect a member of a candidate.
func (r *Reclaim) protecting(t *Candidate, member string) []*preempt.Budget {
	i, found := t.pod(member)
	if !found {
		return nil
	}
	budgets, known := r.protection[t.Pods[i].UID]
	if !known {
		budgets = r.budgets.Of(t.Pods[i])
		r.protection[t.Pods[i].UID] = budgets
	}
	return budgets
}

// permit has budgets and a simulation of quotas say who may go.
type permit struct {
	reclaim     *Reclaim
	simulation  *quota.Simulation
	disruptions preempt.Disruptions
}

// Evict counts members of a gang as gone, if they may go.
func (p *permit) Evict(g *preempt.Gang, members []preempt.Member) (undo func(), ok bool) {
	t := p.reclaim.byName[g.Name]
	restore := func() {}
	if p.reclaim.budgets != nil && !p.reclaim.unprotected {
		under := make([][]*preempt.Budget, len(members))
		for i, m := range members {
			under[i] = p.reclaim.protecting(t, m.Name)
		}
		back, why := p.disruptions.Take(under)
		if why != nil {
			p.reclaim.refused = true
			return nil, false
		}
		restore = back
	}
	uses := make(quota.Vector, len(p.reclaim.claim.Asks))
	for _, m := range members {
		if i, found := t.pod(m.Name); found {
			uses = uses.Plus(t.uses[i])
		}
	}
	taken, protection := p.simulation.Evict(quota.Victim{Queue: t.Queue, Uses: uses, Priority: t.Priority, Ran: t.Ran})
	if protection != nil {
		restore()
		return nil, false
	}
	return func() {
		p.simulation.Revert(taken)
		restore()
	}, true
}

// Enough reports whether the claim is within all limits after the evictions so far.
func (p *permit) Enough() bool {
	_, ok := p.simulation.Fits()
	return ok
}
