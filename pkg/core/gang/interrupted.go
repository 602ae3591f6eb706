package gang

// Interrupted reports whether the binding of a gang of the given size was cut
// short: some members are bound, fewer than size, and at least one member is
// pending that was there when the last bound one was bound. This is what a
// scheduler leaves that dies between two binds.
//
// A member that has succeeded was bound, and so was one that leaves with a node.
//
// A gang that was placed whole and lost a member later is not interrupted: the
// member that replaces the lost one is younger than the binds of the others, and a
// member beyond the size, which may have waited since before, was told that the gang
// has its place without it. Times have a resolution of one second, so a replacement
// within the very second of the bind counts as older until it was told, too; the
// caller's grace period covers that.
//
// Members that the declared size does not include say nothing, and size is that of a [Group],
// with them.
func Interrupted(size int32, members []Member) bool {
	return interrupted(int(size)-tallyOf(members).extra, members)
}

// interrupted is Interrupted for a declared size.
func interrupted(declared int, members []Member) bool {
	bound := 0
	var lastBind int64
	for i := range members {
		if m := &members[i]; m.Node != "" && !m.Extra {
			bound++
			lastBind = max(lastBind, m.Bound)
		}
	}
	if bound == 0 || bound >= declared {
		return false
	}
	for i := range members {
		if m := &members[i]; m.State() == Waiting && !m.Extra && !m.LeftOut && m.Created <= lastBind {
			return true
		}
	}
	return false
}
