package queueing

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// announcedFew is how many gangs of a queue are admitted before their pods, whatever room there
// is in the cluster: so that who cannot be placed holds nobody up who can, and an autoscaler
// sees pods to add nodes for.
const announcedFew = 4

// ChooseAnnounced returns those of announced gangs that are admitted now: as many as their
// queues would admit, and no more than the whole cluster could hold, beside those that were
// admitted and have no place. So a thousand that wait are a thousand objects, and not their
// pods. What they are made up of is found out when they have pods.
//
// In the order given, with used what the queue and those above it are charged,
//
//	used + asks of those admitted + asks <= limit, and
//	asks of those admitted + asks <= cluster, or fewer than announcedFew of the queue are admitted
func (q *Queues) ChooseAnnounced(all []gangtable.Announced) []gangtable.Announced {
	if !slices.ContainsFunc(all, func(a gangtable.Announced) bool { return !a.Admitted }) {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.opened {
		return nil
	}
	c := announcedChoice{q: q, cluster: q.clusterHas(), taken: corev1.ResourceList{}, few: map[string]int{}}
	if q.settled() {
		c.used = q.line.Used().Clone()
	}
	for i := range all {
		if all[i].Admitted {
			c.take(&all[i])
		}
	}
	var chosen []gangtable.Announced
	for i := range all {
		if a := &all[i]; !a.Admitted && c.fits(a) {
			c.take(a)
			chosen = append(chosen, *a)
		}
	}
	return chosen
}

// announcedChoice is what those who are admitted take.
type announcedChoice struct {
	q *Queues
	// cluster is what all nodes have, taken what those admitted ask for, and few how many
	// there are of each queue. used is what queues are charged; nil if nobody pays.
	cluster, taken corev1.ResourceList
	few            map[string]int
	used           *quota.Usage
}

// queueOf returns the queue that a gang is admitted by.
func (c *announcedChoice) queueOf(a *gangtable.Announced) string {
	return cmp.Or(a.Queue, c.q.ownQueue(a.Key.Namespace))
}

// fits reports whether a gang is admitted beside the others.
func (c *announcedChoice) fits(a *gangtable.Announced) bool {
	queue := c.queueOf(a)
	if c.used != nil {
		id, known := c.q.id(queue)
		if !known {
			return false
		}
		if _, within := c.used.CanCharge(id, c.q.vector(a.Asks)); !within {
			return false
		}
	}
	return c.few[queue] < announcedFew || c.holds(a.Asks, c.taken)
}

// take counts a gang that is admitted. One that the empty cluster could not hold takes nothing
// from others.
func (c *announcedChoice) take(a *gangtable.Announced) {
	queue := c.queueOf(a)
	c.few[queue]++
	if c.used != nil {
		if id, known := c.q.id(queue); known {
			v := c.q.vector(a.Asks)
			if _, within := c.used.CanCharge(id, v); within {
				_, _ = c.used.Charge(id, v)
			}
		}
	}
	if c.holds(a.Asks, nil) {
		for name, amount := range a.Asks {
			sum := c.taken[name]
			sum.Add(amount)
			c.taken[name] = sum
		}
	}
}

// holds reports whether the cluster has what is asked for beside what is taken.
func (c *announcedChoice) holds(asks, taken corev1.ResourceList) bool {
	for name, amount := range asks {
		sum := taken[name]
		sum.Add(amount)
		if has := c.cluster[name]; sum.Cmp(has) > 0 {
			return false
		}
	}
	return true
}
