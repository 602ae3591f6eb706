package drills

import (
	"strings"
	"testing"
	"time"
)

// A book is a ledger of two nodes of two GPUs, and a clock.
func book() (*ledger, func(p pod, at time.Duration)) {
	l := newLedger()
	l.nodes["a"], l.nodes["b"] = node{rack: "r1", gpus: 2, ready: true}, node{rack: "r2", gpus: 2, ready: true}
	start := time.Unix(1000, 0)
	return l, func(p pod, at time.Duration) {
		p.name, p.gang = p.uid, "g"
		l.see(p, start.Add(at))
	}
}

func TestInvariants(t *testing.T) {
	on := func(uid, node string, gpus int64, devices ...string) pod {
		return pod{uid: uid, node: node, gpus: gpus, devices: devices, running: true}
	}
	ended := func(p pod) pod { p.ended, p.running = true, false; return p }
	leaving := func(p pod) pod { p.leaving = true; return p }
	foreign := func(p pod) pod { p.foreign = true; return p }
	for name, test := range map[string]struct {
		pods []pod
		want string
	}{
		"a full node":                       {[]pod{on("p", "a", 1, "x"), on("q", "a", 1, "y")}, ""},
		"a node over":                       {[]pod{on("p", "a", 2), on("q", "a", 1)}, "node a has 2 GPUs, and gave out 3 with pod q"},
		"the place of one that has ended":   {[]pod{on("p", "a", 2, "x", "y"), ended(on("p", "a", 2, "x", "y")), on("q", "a", 2, "x", "y")}, ""},
		"the place of one that is leaving":  {[]pod{on("p", "a", 2), leaving(on("p", "a", 2)), on("q", "a", 1)}, "node a has 2 GPUs, and gave out 3"},
		"over, one of another scheduler":    {[]pod{foreign(on("p", "a", 2)), on("q", "a", 1)}, ""},
		"over, once that one has gone":      {[]pod{foreign(on("p", "a", 2)), ended(foreign(on("p", "a", 2))), on("q", "a", 2), on("r", "a", 1)}, "gave out 3 with pod r"},
		"a device twice":                    {[]pod{on("p", "a", 1, "x"), on("q", "a", 1, "x")}, "device x of node a has pod p, and was given to pod q"},
		"a device that is ill":              {[]pod{on("p", "b", 1, "ill")}, "device ill of node b is ill, and was given to pod p"},
		"a pod that is seen several times":  {[]pod{on("p", "a", 2, "x"), on("p", "a", 2, "x"), on("p", "a", 2, "x")}, ""},
		"one that ended before it was seen": {[]pod{ended(on("p", "a", 2)), on("q", "a", 2)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, see := book()
			l.ill["ill"] = true
			for _, p := range test.pods {
				see(p, 0)
			}
			got := strings.Join(l.broken, "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("broken: %q, want %q", got, test.want)
			}
		})
	}
}

func TestHalfBound(t *testing.T) {
	l, see := book()
	see(pod{uid: "p"}, 0)
	see(pod{uid: "q"}, time.Second)
	see(pod{uid: "p", node: "a", gpus: 1}, 2*time.Second)
	if got, gang := l.halfBound(time.Unix(1005, 0)); got != 3*time.Second || gang != "g" {
		t.Errorf("gang %q was half bound for %s, want g, and 3 s until now", gang, got)
	}
	see(pod{uid: "q", node: "b", gpus: 1}, 6*time.Second)
	if got, _ := l.halfBound(time.Unix(1009, 0)); got != 4*time.Second {
		t.Errorf("it was half bound for %s, want 4 s", got)
	}
	if got, _ := l.halfBound(time.Unix(1009, 0)); got != 0 {
		t.Errorf("it was half bound for %s since, want not at all", got)
	}
	// One that leaves is no member that waits or has a place.
	see(pod{uid: "q", node: "b", gpus: 1, leaving: true}, 10*time.Second)
	see(pod{uid: "r"}, 11*time.Second)
	see(pod{uid: "p", node: "a", gpus: 1, leaving: true}, 12*time.Second)
	if got, _ := l.halfBound(time.Unix(1020, 0)); got != time.Second {
		t.Errorf("it was half bound for %s, want 1 s", got)
	}
}

func TestInOneRack(t *testing.T) {
	l, see := book()
	see(pod{uid: "p", node: "a", running: true}, 0)
	see(pod{uid: "q", node: "b", running: true}, 0)
	see(pod{uid: "r", node: "b", running: true, leaving: true}, 0)
	if got := l.of("g", map[string]bool{"b": true}); len(got) != 1 || got[0].uid != "p" {
		t.Errorf("without node b: %v", got)
	}
	pods := l.of("g", nil)
	if l.inOneRack("g", pods); len(pods) != 2 || len(l.broken) != 1 || l.broken[0] != "gang g requires a rack, and is in r1, r2" {
		t.Errorf("%d pods; broken: %q", len(pods), l.broken)
	}
}

func TestNoticeAbout(t *testing.T) {
	for note, want := range map[string]bool{
		"Gang drills/job.batch/train-4: 1 devices of pods train-4-0 on node a are unhealthy": true,
		"Gang drills/job.batch/train-4 lacks 1 of 7 pods":                                    true,
		"Gang drills/job.batch/train-41 lacks 1 of 7 pods":                                   false,
		"Gang other/job.batch/train-4 lacks 1 of 7 pods":                                     false,
	} {
		if got := (notice{note: note}).about("train-4"); got != want {
			t.Errorf("%q is about it: %t", note, got)
		}
	}
}
