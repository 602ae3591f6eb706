package repair

import (
	"fmt"
	"strings"
)

// Action is what to do about a gang that is short.
type Action string

// The actions.
const (
	// Tell: nothing, but say so.
	Tell Action = "Tell"
	// Keep: room for those that are missing, until the window is over.
	Keep Action = "Keep"
	// Wait: for room in the domain of the gang, of which there is none now.
	Wait Action = "Wait"
	// GiveUp: keep no room any more.
	GiveUp Action = "GiveUp"
	// RestartAll: have the rest of the gang leave, so that it starts anew.
	RestartAll Action = "Restart"
)

// Code is why.
type Code string

// The codes.
const (
	// Ignored and Asked: the policy says so.
	Ignored Code = "Ignored"
	Asked   Code = "Asked"
	// RoomKept: there is room, or nobody has looked yet. SpareKept: there is, on spare nodes.
	// WindowOver: nobody came in time.
	RoomKept   Code = "RoomKept"
	SpareKept  Code = "SpareKept"
	WindowOver Code = "WindowOver"
	// WouldEnd: nobody would make the pods again if the gang was restarted.
	WouldEnd Code = "WouldEnd"
	// NoRoomElsewhere: no other domain has room for the whole gang either.
	NoRoomElsewhere Code = "NoRoomElsewhere"
	// WaitCostsLess and RestartCostsLess: what was weighed.
	WaitCostsLess    Code = "WaitCostsLess"
	RestartCostsLess Code = "RestartCostsLess"
)

// Situation is all that a decision rests on. Times are seconds.
type Situation struct {
	Policy Policy
	Owner  Owner
	// Missing is how many members are missing, for how long none was lost, and Window how
	// long room is kept.
	Missing int
	For     int64
	Window  int64
	// NoRoom says that the domain of the gang has no room for those that are missing, and
	// has had none for NoRoomFor. Elsewhere names the domain that would hold the whole gang
	// if it was restarted; "" if none would.
	NoRoom    bool
	NoRoomFor int64
	Elsewhere string
	// Spares are the spare nodes on which room is kept.
	Spares []string
	// Lost is the work of those that stand that a restart would lose, in device-seconds, and
	// Idle how many devices of theirs wait meanwhile.
	Lost, Idle int64
}

// Decision is what to do, why, and, of a wait, in how many seconds it is over; 0 if that is
// not known.
type Decision struct {
	Action Action
	Code   Code
	Text   string
	After  int64
}

// Decide says what is to be done about a gang that is short.
func Decide(s Situation) Decision {
	switch s.Policy.Or(s.Owner) {
	case Ignore:
		return Decision{Action: Tell, Code: Ignored, Text: "its policy is to ignore that"}
	case Restart:
		return Decision{Action: RestartAll, Code: Asked, Text: "the rest of it leaves, and all of it starts again"}
	}
	if s.NoRoom {
		return weigh(s)
	}
	if s.For >= s.Window {
		return Decision{Action: GiveUp, Code: WindowOver, Text: fmt.Sprintf("nobody came in the place of those in %d s, and no room is kept any more", s.Window)}
	}
	code, on := RoomKept, ""
	if len(s.Spares) > 0 {
		code, on = SpareKept, " on spares "+strings.Join(s.Spares, ", ")
	}
	return Decision{Action: Keep, Code: code, Text: fmt.Sprintf("room is kept for %d in their place%s, for %d s", s.Missing, on, s.Window-s.For), After: s.Window - s.For}
}

// weigh decides whether a gang waits for room in its domain, or starts again in another.
func weigh(s Situation) Decision {
	const none = "there is no room for those in its domain; it waits, for "
	switch {
	case !s.Owner.MakesAgain:
		return Decision{Action: Wait, Code: WouldEnd, Text: none + "nobody is known to make its pods again if all went"}
	case s.Elsewhere == "":
		return Decision{Action: Wait, Code: NoRoomElsewhere, Text: none + "no other has room for all of it"}
	}
	idle := max(s.Idle, 1)
	// The first second at which idle devices have cost as much as a restart does.
	even := s.Lost / idle
	if s.Lost%idle != 0 {
		even++
	}
	if s.NoRoomFor >= even {
		return Decision{Action: RestartAll, Code: RestartCostsLess, Text: fmt.Sprintf("there is no room for those in its domain; it starts again in %s, which loses %d device-seconds, and waiting has cost as much", s.Elsewhere, s.Lost)}
	}
	return Decision{Action: Wait, Code: WaitCostsLess, After: even - s.NoRoomFor,
		Text: fmt.Sprintf("%sa restart in %s would lose %d device-seconds, and %d devices idle for less than %d s cost less", none, s.Elsewhere, s.Lost, idle, even)}
}
