package pack

import "math/bits"

// Set is an ordered set of node numbers. Adding, removing and finding the least
// take a few machine words, whatever the size: each bit of a level says whether a
// word of the level below has any. The zero value is empty.
type Set struct {
	// levels[0] has one bit a node, levels[i+1] one bit a word of levels[i]. The
	// last level has one word.
	levels [][]uint64
	size   int
}

const wordBits = 64

// Len returns how many nodes are in the set.
func (s *Set) Len() int { return s.size }

// Has reports whether a node is in the set.
func (s *Set) Has(id NodeID) bool {
	if len(s.levels) == 0 || int(id) >= len(s.levels[0])*wordBits {
		return false
	}
	return s.levels[0][id/wordBits]&(1<<(id%wordBits)) != 0
}

// Add puts a node into the set.
func (s *Set) Add(id NodeID) {
	if s.Has(id) {
		return
	}
	s.grow(int(id) + 1)
	s.size++
	for i := range s.levels {
		word, bit := id/wordBits, id%wordBits
		had := s.levels[i][word]
		s.levels[i][word] |= 1 << bit
		if had != 0 {
			return
		}
		id = word
	}
}

// Remove takes a node out of the set.
func (s *Set) Remove(id NodeID) {
	if !s.Has(id) {
		return
	}
	s.size--
	for i := range s.levels {
		word, bit := id/wordBits, id%wordBits
		s.levels[i][word] &^= 1 << bit
		if s.levels[i][word] != 0 {
			return
		}
		id = word
	}
}

// Next returns the least node of the set that is at least from.
func (s *Set) Next(from NodeID) (NodeID, bool) {
	if len(s.levels) == 0 {
		return 0, false
	}
	// Up, until a word has a bit at or after from; then down to its least node.
	id := from
	for i := 0; i < len(s.levels); i++ {
		word, bit := int(id/wordBits), id%wordBits
		if word >= len(s.levels[i]) {
			return 0, false
		}
		if rest := s.levels[i][word] >> bit; rest != 0 {
			id += NodeID(bits.TrailingZeros64(rest))
			for i--; i >= 0; i-- {
				id = id*wordBits + NodeID(bits.TrailingZeros64(s.levels[i][id]))
			}
			return id, true
		}
		id = NodeID(word) + 1
	}
	return 0, false
}

// NextAbsent returns the least node number from on that is not in the set.
func (s *Set) NextAbsent(from NodeID) NodeID {
	if len(s.levels) == 0 {
		return from
	}
	for word := int(from / wordBits); word < len(s.levels[0]); word++ {
		absent := ^s.levels[0][word]
		if word == int(from/wordBits) {
			absent &= ^uint64(0) << (from % wordBits)
		}
		if absent != 0 {
			return NodeID(word*wordBits + bits.TrailingZeros64(absent))
		}
	}
	return max(from, NodeID(len(s.levels[0])*wordBits))
}

// grow makes room for n nodes.
func (s *Set) grow(n int) {
	words := (n + wordBits - 1) / wordBits
	if len(s.levels) > 0 && words <= len(s.levels[0]) {
		return
	}
	// Doubling keeps the cost of growing one node at a time small.
	if len(s.levels) > 0 {
		words = max(words, 2*len(s.levels[0]))
	}
	old := s.levels
	s.levels = nil
	for {
		s.levels = append(s.levels, make([]uint64, words))
		if words == 1 {
			break
		}
		words = (words + wordBits - 1) / wordBits
	}
	if len(old) == 0 {
		return
	}
	copy(s.levels[0], old[0])
	for i := 1; i < len(s.levels); i++ {
		for word, below := range s.levels[i-1] {
			if below != 0 {
				s.levels[i][word/wordBits] |= 1 << (word % wordBits)
			}
		}
	}
}
