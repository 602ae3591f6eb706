package preemption

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Restart has the rest of a gang leave that lost members, by the rules by which gangs are
// evicted for others: whole, counted against disruption budgets before, through their owner
// where Berth may suspend it, and marked, so that whoever leads next ends it. An error says
// why it did not.
func (r *Reclaimer) Restart(key gang.Key, pods []*corev1.Pod) error {
	name := workload.NameOf(pods[0])
	victim := fastpath.Evicted{Candidate: &queueing.Candidate{Name: name, Pods: pods}, Pods: pods, Whole: true}
	e := evictor{Reclaimer: r, name: name, choice: &fastpath.Choice{Evicted: []fastpath.Evicted{victim}}}
	if err := e.readBudgets(pods); err != nil {
		return err
	}
	if protection := r.budgets.Protect(pods); protection != nil {
		return errors.New(protection.Sentence())
	}
	if _, err := e.readOwners(pods); err != nil {
		return err
	}
	if err := e.mark(victim, true); err != nil {
		return err
	}
	r.Gangs.Restart(key)
	if stopped := e.evictGang(victim); stopped != nil {
		return fmt.Errorf("its eviction was cut short: %s", stopped.Text)
	}
	if len(e.suspended[name]) == 0 {
		// A pod that was being bound meanwhile goes too.
		r.Gangs.Finish(key)
	}
	return nil
}
