package queueorder

import (
	"testing"
	"time"

	fwk "k8s.io/kube-scheduler/framework"
)

// entity is one of the scheduling queue, as far as it is compared.
type entity struct {
	fwk.QueuedEntityInfo
	number   uint64
	priority int32
	since    int64
}

func (e entity) GetPriority() int32      { return e.priority }
func (e entity) GetTimestamp() time.Time { return time.Unix(e.since, 0) }

// places are the numbers of entities, if there are queues.
type places bool

func (p places) Some() bool                            { return bool(p) }
func (p places) Number(of fwk.QueuedEntityInfo) uint64 { return of.(entity).number }

func TestLess(t *testing.T) {
	for _, c := range []struct {
		name   string
		queues places
		a, b   entity
		want   bool
	}{
		{"who was admitted first", true, entity{number: 1, priority: 0, since: 9}, entity{number: 2, priority: 5, since: 1}, true},
		{"who was admitted last", true, entity{number: 2, priority: 5}, entity{number: 1}, false},
		{"who was not admitted waits for nobody", true, entity{number: 0}, entity{number: 1}, true},
		{"neither was admitted: priority", true, entity{priority: 2, since: 2}, entity{priority: 1, since: 1}, true},
		{"there are no queues: priority, whatever the numbers", false, entity{number: 2, priority: 2}, entity{number: 1, priority: 1}, true},
		{"there are no queues: the oldest", false, entity{since: 1}, entity{since: 2}, true},
		{"equal", false, entity{since: 1}, entity{since: 1}, false},
	} {
		if got := New(c.queues).Less(c.a, c.b); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
