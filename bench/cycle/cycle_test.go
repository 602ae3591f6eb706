package main

import (
	"testing"
	"time"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// Every scheduler places every pod, and gives back what it took.
func TestEverySchedulerPlaces(t *testing.T) {
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	const nodes = 120
	machine, err := rig.ModelOf(defaultMachine)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range contestants {
		for fill, part := range fills {
			t.Run(name+"/"+fill, func(t *testing.T) {
				l, err := newLoop(setup{scheduler: name, nodes: nodes, part: part, machine: machine})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Stop()
				before := counted(l)
				s, err := measurePods(l, budget{time: time.Minute, pods: 60})
				if err != nil {
					t.Fatal(err)
				}
				if s.pods < 60 || s.allocs == 0 || s.took <= 0 {
					t.Errorf("measured %+v", s)
				}
				if part == 0 {
					g, err := measureGang(l, 100)
					if err != nil {
						t.Fatal(err)
					}
					if g.algorithm <= 0 || g.cycle < g.algorithm {
						t.Errorf("measured %+v", g)
					}
				}
				if after := counted(l); after != before {
					t.Errorf("%d pods are on nodes, %d were before", after, before)
				}
				if pods, where := l.Sched.SchedulingQueue.PendingPods(); len(pods) > 0 {
					t.Errorf("%d pods are left in the queue: %s", len(pods), where)
				}
				if pods := l.Sched.SchedulingQueue.InFlightPods(); len(pods) > 0 {
					t.Errorf("%d pods are left in flight", len(pods))
				}
			})
		}
	}
}

func counted(l *loop) int {
	n := 0
	for _, node := range l.Sched.Cache.Dump().Nodes {
		n += len(node.Pods)
	}
	return n
}

func TestFillIsWhatItSays(t *testing.T) {
	for fill, part := range fills {
		c := newCounter(2000, part)
		taken := 0
		for _, free := range c.free {
			if free < 0 {
				t.Fatalf("%s: a node has %d GPUs free", fill, free)
			}
			taken += rig.GPUsPerNode - free
		}
		if want := int(part * 2000 * rig.GPUsPerNode); taken != want {
			t.Errorf("%s: %d GPUs are taken, want %d", fill, taken, want)
		}
	}
}

// The floor and null must not run out of room before those that look for it do.
func TestCounterGivesAllRoom(t *testing.T) {
	const nodes = 50
	c := newCounter(nodes, fills["full"])
	room := 0
	for _, free := range c.free {
		room += free
	}
	for range room {
		if _, err := c.Next(rig.Pod("pod", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Next(rig.Pod("pod", 1)); err == nil {
		t.Error("a pod got a node in a full cluster")
	}
	c.removed()
	if _, err := c.Next(rig.Pod("pod", 1)); err != nil {
		t.Error(err)
	}
}
