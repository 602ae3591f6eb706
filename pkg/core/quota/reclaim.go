package quota

import (
	"fmt"
	"time"
)

// Claim is a gang that wants room which others have.
type Claim struct {
	Queue    QueueID
	Asks     Vector
	Priority int32
}

// Victim is a gang that may be evicted for it.
type Victim struct {
	Queue    QueueID
	Uses     Vector
	Priority int32
	// Ran is for how long the gang has run.
	Ran time.Duration
}

// Mode says what decides between the queue that claims and that of a victim.
type Mode uint8

const (
	// ByGuarantee: the claimant is within what it is guaranteed, and the victim's queue
	// keeps what it is.
	ByGuarantee Mode = iota
	// ByShare: the claimant is within its fair share, and the victim's queue keeps its
	// fair share and what it is guaranteed.
	ByShare
	// Straddling: as ByGuarantee, but the victim's queue need only be above what it is
	// guaranteed before the eviction. It is for when ByGuarantee finds too little: a gang of 64
	// in a queue with 32 guaranteed could not run without borrowing, and would else keep
	// others from what they are guaranteed for as long as it likes.
	Straddling
)

// Simulation tries evictions for a claim on a copy of the usage.
type Simulation struct {
	*Usage
	claim  Claim
	mode   Mode
	shares []Vector
}

// Reclaim returns a simulation in which the claim has been charged and nobody evicted.
// Shares are those of Tree.Shares; only ByShare reads them. It fails if the claim cannot be
// charged.
func (u *Usage) Reclaim(claim Claim, mode Mode, shares []Vector) (*Simulation, error) {
	s := &Simulation{Usage: u.Clone(), claim: claim, mode: mode, shares: shares}
	if _, err := s.Charge(claim.Queue, claim.Asks); err != nil {
		return nil, err
	}
	return s, nil
}

// Evict releases what a victim uses, if the rules allow it after the evictions so far; else
// it says why not, and changes nothing. The undo is for Revert, last first.
//
// A victim of the claimant's own queue is a matter of priority alone. For one of another
// queue, look at the paths up to the first queue that both are in. Every queue on the
// claimant's side has to be within what the mode says, with the claim and without the
// victims so far; every one on the victim's side has to keep what the mode says, in what
// it loses. Only resources that are claimed count, of those Tree.Counted.
//
// Evictions after it never make an eviction wrong; without those before it, it has to be
// tried again.
func (s *Simulation) Evict(v Victim) (Undo, *Protection) {
	if p := s.protects(v); p != nil {
		return Undo{}, p
	}
	undo, err := s.Release(v.Queue, v.Uses)
	if err != nil {
		return Undo{}, &Protection{Code: NotCharged, Queue: v.Queue}
	}
	return undo, nil
}

// Fits reports whether the claim is within all limits after the evictions so far; and the
// refusal if not.
func (s *Simulation) Fits() (Refusal, bool) {
	q := s.claim.Queue
	if fault := s.tree.Fault(q); fault != nil {
		return Refusal{Queue: q, Fault: fault}, false
	}
	for q = s.tree.Own(q); q != NoQueue; q = s.tree.Parent(q) {
		used, limit := s.Of(q), s.tree.Limit(q)
		for r, asked := range s.claim.Asks {
			if asked > 0 && used[r] > limit[r] {
				return Refusal{Queue: q, Resource: r, Used: used[r] - asked, Limit: limit[r], Asked: asked}, false
			}
		}
	}
	return Refusal{}, true
}

// ProtectionCode is a typed reason. The set is closed and never holds a name.
type ProtectionCode string

const (
	// NotAllowed: the rules of the claimant's queue allow no such eviction.
	NotAllowed ProtectionCode = "EvictionNotAllowed"
	// PriorityTooHigh: the victim's priority is not below the claimant's.
	PriorityTooHigh ProtectionCode = "VictimPriorityTooHigh"
	// RunsTooShort: the victim has not run for the least time of its queue.
	RunsTooShort ProtectionCode = "VictimRunsTooShort"
	// ClaimantOver: a queue of the claimant would be above what is guaranteed, or its share.
	ClaimantOver ProtectionCode = "ClaimantAboveEntitlement"
	// VictimEntitled: a queue of the victim would lose what is guaranteed, or its share.
	VictimEntitled ProtectionCode = "VictimWithinEntitlement"
	// NoUse: the victim uses nothing of what is claimed.
	NoUse ProtectionCode = "VictimOfNoUse"
	// NotCharged: the victim's queue does not use as much.
	NotCharged ProtectionCode = "VictimNotCharged"
)

// Protection says why a victim is not evicted.
type Protection struct {
	Code ProtectionCode
	// Queue is the one that is over, or entitled, or whose rule it is.
	Queue QueueID
	// Resource is the number of the resource, Used what the queue would use then, and
	// Entitled what it is guaranteed or its share, for ClaimantOver and VictimEntitled.
	Resource       int
	Used, Entitled Amount
}

// Sentence says it in words.
func (p Protection) Sentence(t *Tree) string {
	switch p.Code {
	case NotAllowed:
		return fmt.Sprintf("the rules of %s do not allow it", t.called(p.Queue))
	case PriorityTooHigh:
		return "its priority is not lower"
	case RunsTooShort:
		return fmt.Sprintf("it has run for less than the %s that %s gives each gang", t.Preemption(p.Queue).MinRuntime, t.called(p.Queue))
	case ClaimantOver:
		return fmt.Sprintf("%s would use %s of %s, where %s are due", t.called(p.Queue), p.Used, t.resources[p.Resource], p.Entitled)
	case VictimEntitled:
		return fmt.Sprintf("%s would be left with %s of %s, where %s are due", t.called(p.Queue), p.Used, t.resources[p.Resource], p.Entitled)
	case NoUse:
		return "it has nothing of what is claimed"
	}
	return fmt.Sprintf("%s does not use as much", t.called(p.Queue))
}

// protects returns what protects a victim; nil if nothing does.
func (s *Simulation) protects(v Victim) *Protection {
	t, claimant, victim := s.tree, s.tree.Own(s.claim.Queue), s.tree.Own(v.Queue)
	rules := t.Preemption(claimant)
	whom := rules.Reclaim
	if claimant == victim {
		whom = max(rules.WithinQueue, LowerPriority)
	}
	switch {
	case whom == Never:
		return &Protection{Code: NotAllowed, Queue: s.claim.Queue}
	case whom == LowerPriority && v.Priority >= s.claim.Priority:
		return &Protection{Code: PriorityTooHigh, Queue: v.Queue}
	case !overlap(s.claim.Asks, v.Uses):
		return &Protection{Code: NoUse, Queue: v.Queue}
	case v.Ran < t.Preemption(victim).MinRuntime:
		return &Protection{Code: RunsTooShort, Queue: v.Queue}
	}
	// Up to the first queue that both are in.
	for claimant != victim {
		if t.Depth(claimant) >= t.Depth(victim) {
			if p := s.over(claimant); p != nil {
				return p
			}
			claimant = t.Parent(claimant)
		} else {
			if p := s.keeps(victim, v.Uses); p != nil {
				return p
			}
			victim = t.Parent(victim)
		}
	}
	return nil
}

// overlap reports whether two vectors have something of one resource.
func overlap(v, w Vector) bool {
	for r := range v {
		if v[r] > 0 && w[r] > 0 {
			return true
		}
	}
	return false
}

// entitled returns what a queue is entitled to of a resource.
func (s *Simulation) entitled(q QueueID, r int) Amount {
	if s.mode == ByShare {
		return s.shares[q][r]
	}
	return s.tree.Guaranteed(q)[r]
}

// over returns what the claim would have a queue use above its entitlement.
func (s *Simulation) over(q QueueID) *Protection {
	for r := range s.tree.Counted(q, s.claim.Asks) {
		if used, entitled := s.Of(q)[r], s.entitled(q, r); used > entitled {
			return &Protection{Code: ClaimantOver, Queue: q, Resource: r, Used: used, Entitled: entitled}
		}
	}
	return nil
}

// keeps returns what a queue would lose of its entitlement without the victim.
func (s *Simulation) keeps(q QueueID, uses Vector) *Protection {
	for r := range s.tree.Counted(q, s.claim.Asks) {
		if uses[r] <= 0 {
			continue
		}
		left, entitled := s.Of(q)[r]-uses[r], max(s.entitled(q, r), s.tree.Guaranteed(q)[r])
		if left < entitled && (s.mode != Straddling || s.Of(q)[r] <= entitled) {
			return &Protection{Code: VictimEntitled, Queue: q, Resource: r, Used: left, Entitled: entitled}
		}
	}
	return nil
}
