package admission

import (
	"fmt"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Code is a typed reason. It is a metric label as well, so the set is closed and never
// holds a name.
type Code string

// The reasons for which a gang waits. More nodes would help with NoRoom alone.
const (
	// Admitted: it is being placed.
	Admitted Code = "Admitted"
	// Claims: others leave for it.
	Claims Code = "EvictsOthers"
	// Turn: it is the next of its queue, and others are served before the queue.
	Turn Code = "QueueNotItsTurn"
	// Behind: others of its queue come before it.
	Behind Code = "QueuedBehind"
	// Held: it waits for one gang of its queue, which was overtaken as often as may be, or is
	// the last of as many without room as may be.
	Held Code = "QueuedBehindHeld"
	// AtLimit: a queue of its path would pass its limit.
	AtLimit Code = "QueueAtLimit"
	// NeverFits: it asks for more than a limit of its path.
	NeverFits Code = "QueueLimitTooLow"
	// Faulty: its queue, or one around it, has a fault.
	Faulty Code = "QueueFaulty"
	// NoRoom: there was no room for it when it was tried.
	NoRoom Code = "NoRoom"
)

// Codes are all of them.
func Codes() []Code {
	return []Code{Admitted, Claims, Turn, Behind, Held, AtLimit, NeverFits, Faulty, NoRoom}
}

// Reason says why a gang waits.
type Reason struct {
	Code Code
	// Queue is the gang's, and Ahead how many gangs of it come before the gang.
	Queue quota.QueueID
	Ahead int
	// For is the gang that it waits for, with Held, and Overtaken how often that one was.
	For       string
	Overtaken int
	// Refusal is set for AtLimit, NeverFits and Faulty.
	Refusal quota.Refusal
}

// Reason says why a gang waits; false if there is none of that name.
func (a *Admission) Reason(name string) (Reason, bool) {
	e := a.byName[name]
	if e == nil {
		return Reason{}, false
	}
	queue := &a.gangs[e.leaf]
	why := Reason{Code: Turn, Queue: e.gang.Queue, Ahead: queue.position(e)}
	if fault := a.tree.Fault(e.leaf); fault != nil {
		why.Code, why.Refusal = Faulty, quota.Refusal{Queue: e.gang.Queue, Fault: fault}
		return why, true
	}
	switch e.stage {
	case admitted:
		why.Code = Admitted
		return why, true
	case held:
		why.Code = Claims
		return why, true
	case refused:
		why.Code = NoRoom
		return why, true
	case beyond:
		why.Code = NeverFits
		why.Refusal, _ = a.exceeds(e)
		return why, true
	}
	if bar := queue.bar(a.config); bar != nil && compareEntries(bar, e) < 0 {
		why.Code, why.For, why.Overtaken = Held, bar.gang.Name, bar.node.overtaken
		return why, true
	}
	if refusal, ok := a.all.CanCharge(e.leaf, e.gang.Asks); !ok {
		why.Code, why.Refusal = AtLimit, refusal
	} else if why.Ahead > 0 {
		why.Code = Behind
	}
	return why, true
}

// Sentence says it in words. called says who has a name, as in: gang "a".
func (r Reason) Sentence(t *quota.Tree, called func(name string) string) string {
	switch r.Code {
	case Admitted:
		return "the gang is being placed"
	case Claims:
		return "others are evicted for the gang, which gets its place once they have left"
	case Behind:
		return fmt.Sprintf("the gang is number %d of queue %q", r.Ahead+1, t.Name(r.Queue))
	case Held:
		first := fmt.Sprintf("%s of queue %q goes first", called(r.For), t.Name(r.Queue))
		if r.Overtaken > 0 {
			first += fmt.Sprintf(", for others overtook it already: %d", r.Overtaken)
		}
		return first
	case AtLimit, Faulty:
		return r.Refusal.Sentence(t)
	case NeverFits:
		return fmt.Sprintf("the gang asks for %s of %s, and the limit of queue %q is %s: make the gang smaller or raise the limit",
			r.Refusal.Asked, t.Resources()[r.Refusal.Resource], t.Name(r.Refusal.Queue), r.Refusal.Limit)
	case NoRoom:
		return "there was no room for the gang when it was tried; it is tried again when there may be"
	}
	return fmt.Sprintf("the gang is the next of queue %q, which waits for its turn", t.Name(r.Queue))
}
