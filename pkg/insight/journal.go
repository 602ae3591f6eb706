package insight

import "sync"

// journalSize is how many decisions are kept.
const journalSize = 1000

// Journal keeps the last decisions, in a ring. Its methods may be called concurrently; to add
// one costs a lock and a copy, and never waits for who reads.
type Journal struct {
	mu sync.Mutex
	// ring has decision number n at (n - 1) % journalSize.
	ring []Event
	last uint64
}

// Add keeps a decision. It gets the next number. Nil keeps none.
func (j *Journal) Add(event Event) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ring == nil {
		j.ring = make([]Event, journalSize)
	}
	j.last++
	event.Seq = j.last
	event.Time = event.Time.UTC()
	j.ring[(j.last-1)%journalSize] = event
}

// After returns the decisions after one number that are kept, oldest first, the number of the
// last, and whether some between are not kept any more. A number that was not given yet is one
// of another leader: then all are returned, and some were missed.
func (j *Journal) After(seq uint64) (events []Event, last uint64, missed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if seq > j.last {
		seq, missed = 0, true
	}
	first := seq + 1
	if oldest := j.last - min(j.last, journalSize) + 1; first < oldest {
		missed = missed || seq > 0
		first = oldest
	}
	events = []Event{}
	for n := first; n <= j.last; n++ {
		events = append(events, j.ring[(n-1)%journalSize])
	}
	return events, j.last, missed
}
