package gang

import "fmt"

// NextPatience is for how many seconds after the last of them was made the pods that come
// after a gang is done wait for others. Nobody says how many the last of a Job are.
const NextPatience = 10

// nextOf returns how many members wait that come after all those of a gang have succeeded, and
// when the last of them was made; false if they do not: another member has a place, or one
// waits that is as old as the last bind, and so is left over from before.
func nextOf(size int, counts tally, members []Member) (come int, last int64, yes bool) {
	if counts.waiting == 0 || counts.standing > 0 || counts.done < size {
		return 0, 0, false
	}
	bound := int64(0)
	for i := range members {
		if m := &members[i]; m.State() == Succeeded {
			bound = max(bound, m.Bound)
		}
	}
	for i := range members {
		if m := &members[i]; m.State() == Waiting {
			if m.LeftOut || m.Created <= bound {
				return 0, 0, false
			}
			last = max(last, m.Created)
		}
	}
	return counts.waiting, last, true
}

// Await returns the verdict as it is at a second since the epoch: one that is to wait for
// others until later is held.
func (v Verdict) Await(now int64) Verdict {
	if now >= v.Until {
		return v
	}
	v.Action, v.Code = Hold, Incomplete
	v.Text = fmt.Sprintf("all earlier pods of gang %s have succeeded, and %d have come after them; waiting up to %d seconds for others, up to its size of %d",
		v.Group.Key, v.Group.Need, NextPatience, v.Group.Size)
	return v
}
