package topology

import (
	"cmp"
	"slices"
)

// Claim is a pod on a node with devices, as far as is known.
type Claim struct {
	// ID orders claims: it is the pod's UID.
	ID string
	// Devices is how many the pod asked for.
	Devices int
	// Set are the devices that are said to be the pod's; none if nothing is said.
	Set Mask
	// Reported says that the node says so. If not, the set was intended for the pod.
	Reported bool
}

// Hold says which devices each claim holds, in the order of the claims, and which of
// the usable devices are free. It is a function of the claims alone, in any order:
//
//  1. what the node reports is so;
//  2. an intended set holds, if nobody has any of it; claims go by ID;
//  3. every other claim, by ID, gets what the picker gives it of what is still free, or
//     of too few all.
//
// So no two pods hold one device, but where the node itself reports that they do.
func (c *Class) Hold(usable Mask, claims []Claim, held []Mask) ([]Mask, Mask) {
	held = slices.Grow(held[:0], len(claims))[:len(claims)]
	var taken Mask
	unsettled := 0
	for i := range claims {
		if held[i] = 0; claims[i].Reported {
			held[i] = claims[i].Set
			taken |= claims[i].Set
		} else {
			unsettled++
		}
	}
	if unsettled > 0 {
		var buffer [2 * MaxDevices]int
		order := buffer[:0]
		for i := range claims {
			if !claims[i].Reported {
				order = append(order, i)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(claims[a].ID, claims[b].ID) })
		for _, i := range order {
			if set := claims[i].Set; set != 0 && set&taken == 0 {
				held[i] = set
				taken |= set
			}
		}
		for _, i := range order {
			if held[i] != 0 || claims[i].Devices < 1 {
				continue
			}
			free := usable &^ taken
			held[i] = free
			if choice, ok := c.Choose(AnyLink, claims[i].Devices, free); ok {
				held[i] = choice.Set
			}
			taken |= held[i]
		}
	}
	return held, usable &^ taken
}
