package drills

import (
	"strings"
	"testing"
	"time"
)

// The page has the figures of each drill, its timeline, what did not hold, and what is no drill.
func TestPage(t *testing.T) {
	r := &Report{
		Date: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Machine: "2 cores", Versions: "Berth v1", Heartbeat: 10 * time.Second, Tolerates: 30 * time.Second,
		Outcomes: []Outcome{
			{
				Name: "node-loss", Title: "Loss of a node", Does: "It is lost.", Seen: 48 * time.Second, Told: 48500 * time.Millisecond, Whole: 80 * time.Second,
				Lost: 1, Work: 640 * time.Second, HalfBound: 200 * time.Millisecond,
				Timeline: []Moment{{0, "node-00007 loses power"}, {48500 * time.Millisecond, "Berth: GangShort: a|b\nc"}},
			},
			{Name: "drain", Title: "Drain", Failed: "it took too long", Broken: []string{"node a is over", "device x twice"}},
		},
	}
	var out strings.Builder
	if err := r.WritePage(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"on 2026-11-28: Berth v1; 2 cores.",
		"--heartbeat 10s --tolerates 30s",
		"and 96 simulated nodes of 8 GPUs in\n12 racks and 3 zones. 6 gangs run, each an Indexed Job of 7 pods",
		"| [Loss of a node](#node-loss) | 48.0 s | 48.5 s | 80.0 s | 1 | 640 GPU-s | 0.2 s | hold |\n",
		"| [Drain](#drain) | - | - | - | 0 | 0 GPU-s | - | **it took too long; node a is over; device x twice** |\n",
		"\n- 0.0 s: node-00007 loses power\n- 48.5 s: Berth: GangShort: a\\|b c\n",
		"\n## What is no drill yet\n\n- Thousands of random faults",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, out.String())
		}
	}
	if got := r.Err().Error(); got != "drill drain: it took too long; node a is over; device x twice" {
		t.Errorf("the error is %q", got)
	}
	r.Outcomes = r.Outcomes[:1]
	if err := r.Err(); err != nil {
		t.Errorf("a drill that ended as it should: %v", err)
	}
}

func TestNamed(t *testing.T) {
	got, err := Named([]string{"drain", "node-loss"})
	if err != nil || len(got) != 2 || got[0].Name != "node-loss" || got[1].Name != "drain" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Named([]string{"drain", "drian"}); err == nil || !strings.Contains(err.Error(), `there is no drill "drian"; name some of node-loss, `) {
		t.Errorf("an unknown drill: %v", err)
	}
}
