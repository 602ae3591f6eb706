package preempt

// permits are the answers of a permit that stand, in their order.
type permits struct {
	permit Permit
	undo   []func()
}

// push asks for members of a gang to go after all others.
func (p *permits) push(gang *Gang, members []Member) bool {
	undo, ok := p.permit.Evict(gang, members)
	if ok {
		p.undo = append(p.undo, undo)
	}
	return ok
}

// pop takes back the last answer.
func (p *permits) pop() {
	last := len(p.undo) - 1
	p.undo[last]()
	p.undo = p.undo[:last]
}

// clear takes back all answers, last first.
func (p *permits) clear() {
	for len(p.undo) > 0 {
		p.pop()
	}
}
