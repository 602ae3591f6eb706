package drills

import (
	"bytes"
	"testing"
	"time"
)

// Two short drills, on a real control plane: the gangs are whole again, and nothing is given out twice.
func TestPlay(t *testing.T) {
	chosen, err := Named([]string{"drain", "refused-pod"})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	report, err := Play(t.Context(), Options{Drills: chosen, Heartbeat: time.Second, Tolerates: 2 * time.Second, Log: &log})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if err := report.Err(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	if len(report.Outcomes) != len(chosen) {
		t.Fatalf("%d drills were played, want %d", len(report.Outcomes), len(chosen))
	}
	if drain := report.Outcomes[0]; drain.Lost != gangSize || drain.Whole == 0 {
		t.Errorf("the drain of a rack: %d pods lost, whole after %s; want %d, and a time", drain.Lost, drain.Whole, gangSize)
	}
	if refused := report.Outcomes[1]; refused.Told == 0 || refused.Lost != 0 {
		t.Errorf("a refused pod: told after %s, %d pods lost; want a time, and 0", refused.Told, refused.Lost)
	}
}
