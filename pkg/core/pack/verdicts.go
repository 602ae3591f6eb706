package pack

// Answer is the number of one answer that nodes give to pods of one shape. What it
// stands for is the caller's to know.
type Answer uint8

// NoAnswer is that of a node that has not been asked since it changed.
const NoAnswer Answer = 0

// MaxAnswers is how many answers there are, NoAnswer among them.
const MaxAnswers = 256

// Verdicts remembers which nodes refused pods of one shape, and how. A node that has
// refused is not asked again until it changes: so what is paid for a pod that
// nothing can help follows what has changed since the last one of its shape.
//
// Every node is open, refused, or not known. The zero value knows no node.
type Verdicts struct {
	open Set
	// roomy are the open nodes but for those that were found to have no room.
	roomy Set
	// lasting are refused nodes that only a change of the node object can open.
	lasting Set
	answers []Answer
	counts  [MaxAnswers]int32
}

// Open are the nodes that have not refused since they changed. It is read only, and
// changes with the next call of a method.
func (v *Verdicts) Open() *Set { return &v.open }

// Roomy are the open nodes that were not found to have no room since they changed: it
// is for Among.In, with NoRoom for Among.NoRoom. It is read only as Open is.
func (v *Verdicts) Roomy() *Set { return &v.roomy }

// Lasting reports whether a node has refused in a way that only a change of its object can
// undo, whatever pods leave it.
func (v *Verdicts) Lasting(id NodeID) bool { return v.lasting.Has(id) }

// NoRoom notes that a node has no room for pods of the shape. It has not refused yet.
func (v *Verdicts) NoRoom(id NodeID) { v.roomy.Remove(id) }

// Count returns how many nodes gave an answer.
func (v *Verdicts) Count(a Answer) int { return int(v.counts[a]) }

// Of returns the answer of a node.
func (v *Verdicts) Of(id NodeID) Answer {
	if int(id) >= len(v.answers) {
		return NoAnswer
	}
	return v.answers[id]
}

// Refuse notes that a node gave an answer. A lasting one depends on the node object
// alone, and not on the pods of the node.
func (v *Verdicts) Refuse(id NodeID, a Answer, lasting bool) {
	v.take(id)
	v.open.Remove(id)
	v.roomy.Remove(id)
	for int(id) >= len(v.answers) {
		v.answers = append(v.answers, NoAnswer)
	}
	v.answers[id] = a
	v.counts[a]++
	if lasting {
		v.lasting.Add(id)
	}
}

// Changed opens a node that has changed: a new one, one whose pods or amounts
// changed, and, if object, one whose object did.
func (v *Verdicts) Changed(id NodeID, object bool) {
	if !object && v.lasting.Has(id) {
		return
	}
	v.take(id)
	v.open.Add(id)
	v.roomy.Add(id)
}

// Gone forgets a node.
func (v *Verdicts) Gone(id NodeID) {
	v.take(id)
	v.open.Remove(id)
	v.roomy.Remove(id)
}

// take takes back the answer of a node.
func (v *Verdicts) take(id NodeID) {
	if a := v.Of(id); a != NoAnswer {
		v.counts[a]--
		v.answers[id] = NoAnswer
		v.lasting.Remove(id)
	}
}
