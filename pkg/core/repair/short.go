package repair

// Count is how many members of a gang there are, of those that were placed.
type Count struct {
	// Size is the least number of members that run together.
	Size int
	// Done have succeeded. Standing have a place and are not leaving it, and OnLostNodes of
	// these are on nodes that are lost.
	Done, Standing, OnLostNodes int
}

// Had returns how many of the members that run together at least have had a place: what a gang
// grew by since it was placed has yet to come, and cannot be lost. Before is what Had returned
// last, and placed says that the gang was seen whole since it began; if it was not, nobody knows
// how many have come, and all count.
func (c Count) Had(before int, placed bool) int {
	if !placed {
		return c.Size
	}
	return min(c.Size, max(before, c.Done+c.Standing))
}

// Missing returns how many members the gang lacks; 0 if it is whole, or nothing of it is left
// that a repair could save.
func (c Count) Missing() int {
	if c.Standing <= 0 {
		return 0
	}
	return max(0, c.Size-c.Done-(c.Standing-c.OnLostNodes))
}

// Overdrawn reports whether a node has given out more of a resource than it has: a device fell
// ill, or another scheduler was as fast. It is avoided until that is over.
func Overdrawn(allocatable, used int64) bool { return used > allocatable }
