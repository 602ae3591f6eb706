package topology

// Kind is the number of what free devices are worth to pods: sets of devices of one
// class that have the same Kind are of the same size and give every pod, whatever it
// asks for, a choice of the same ratio and cost. There are at most as many as a Kind can
// number, as no devices have 0.
type Kind uint16

// kinds are the kinds of a class so far.
type kinds struct {
	of     []Kind // of each set; 0 if it has not been asked for
	byText map[string]Kind
	// first is a set of each kind.
	first []Mask
}

// KindOf returns the kind of free devices. Kinds are numbered from 1 in the order in
// which they are asked for; that of no devices is 0.
func (c *Class) KindOf(free Mask) Kind {
	k := &c.kinds
	if k.of == nil {
		k.of, k.byText, k.first = make([]Kind, len(c.quality)), map[string]Kind{}, []Mask{0}
	}
	if k.of[free] == 0 && free != 0 {
		text := c.kindText(free)
		kind, known := k.byText[text]
		if !known {
			kind = Kind(len(k.first))
			k.byText[text], k.first = kind, append(k.first, free)
		}
		k.of[free] = kind
	}
	return k.of[free]
}

// Example returns free devices of a kind.
func (c *Class) Example(kind Kind) Mask { return c.kinds.first[kind] }

// kindText is equal for sets of one kind and no others.
func (c *Class) kindText(free Mask) string {
	size := free.Len()
	text := []byte{byte(size)}
	if c.alike {
		return string(text)
	}
	for k := 1; k <= size; k++ {
		for level := range levels {
			choice, _ := c.Choose(level, k, free)
			text = append(text, byte(choice.known), byte(choice.Ratio), byte(choice.Ratio>>8), byte(choice.Cost), byte(choice.Cost>>8))
		}
	}
	return string(text)
}
