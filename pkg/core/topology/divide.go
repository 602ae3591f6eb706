package topology

import "slices"

// Divided says what a pod gets of a machine: the devices of its containers.
type Divided struct {
	// Choice is what the pod gets as a whole.
	Choice
	// Parts are what each part of the pod gets, in the order in which they were given:
	// disjoint sets of devices of the choice.
	Parts []Mask
}

// Divide returns what a pod gets of the devices that are free, if it asks for k at most
// at once, and its containers that run together ask for parts of that; false if there
// is none. Each part gets the best of the pod's devices, the largest part first.
//
// The device plugin serves container by container, and knows nothing of the pod: where
// several ask for devices, it picks for each in turn, and the whole is what comes of it.
func (c *Class) Divide(level Level, k int, parts []int, free Mask) (Divided, bool) {
	if c.picker == DevicePlugin && len(parts) > 1 && sum(parts) == k {
		return c.divideInTurn(level, parts, free)
	}
	choice, ok := c.Choose(level, k, free)
	out := Divided{Choice: choice, Parts: make([]Mask, len(parts))}
	if !ok || sum(parts) > k {
		return Divided{}, false
	}
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return parts[b] - parts[a] })
	left := choice.Set
	for _, i := range order {
		if parts[i] < 1 {
			continue
		}
		if out.Parts[i] = left; parts[i] < left.Len() {
			out.Parts[i] = c.best(AnyLink, parts[i], left).Set
		}
		left &^= out.Parts[i]
	}
	return out, true
}

// divideInTurn has each part pick from what those before it have left.
func (c *Class) divideInTurn(level Level, parts []int, free Mask) (Divided, bool) {
	out := Divided{Parts: make([]Mask, len(parts))}
	var all Mask
	for i, k := range parts {
		if k < 1 {
			continue
		}
		choice, ok := c.Choose(AnyLink, k, free&^all)
		if !ok {
			return Divided{}, false
		}
		out.Parts[i] = choice.Set
		all |= choice.Set
	}
	if all == 0 || c.level[all] < level {
		return Divided{}, false
	}
	out.Choice = c.choice(all, free)
	return out, true
}

func sum(parts []int) (total int) {
	for _, k := range parts {
		total += k
	}
	return total
}
