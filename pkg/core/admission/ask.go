package admission

// Overtaken returns how often a gang was overtaken; 0 if there is none of that name.
func (a *Admission) Overtaken(name string) int {
	if e := a.byName[name]; e != nil {
		return e.node.overtaken
	}
	return 0
}

// WithinLimits reports whether the limits of its path would let a gang in now, whatever its
// turn is; false if there is none of that name.
func (a *Admission) WithinLimits(name string) bool {
	e := a.byName[name]
	if e == nil {
		return false
	}
	_, ok := a.all.CanCharge(e.leaf, e.gang.Asks)
	return ok
}
