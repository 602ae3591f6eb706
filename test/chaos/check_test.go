package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Each rule is found broken by the history that breaks it, and by no other.
func TestCheck(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	state := func(second int, uid, node, phase string, edits ...func(*Record)) Record {
		r := Record{At: at.Add(time.Duration(second) * time.Second), UID: types.UID(uid), Name: uid, Node: node, GPUs: 4, Phase: corev1.PodPhase(phase)}
		for _, edit := range edits {
			edit(&r)
		}
		return r
	}
	in := func(gang string, size int) func(*Record) {
		return func(r *Record) { r.Gang, r.Size = gang, size }
	}
	with := func(devices ...string) func(*Record) { return func(r *Record) { r.Devices = devices } }
	waits := func(r *Record) { r.Waits = "Unschedulable" }
	for _, c := range []struct {
		name    string
		history []Record
		want    []string
	}{
		{"good", []Record{
			state(0, "a", "", "Pending"), state(1, "a", "n", "Pending", with("0")), state(1, "b", "n", "Pending", with("1")),
			state(2, "a", "n", "Succeeded", with("0")), state(3, "c", "n", "Pending", with("0")), state(4, "b", "n", "Succeeded"), state(4, "c", "n", "Succeeded"),
		}, nil},
		{"over room", []Record{
			state(0, "a", "n", "Pending"), state(0, "b", "n", "Pending"), state(0, "c", "n", "Pending"),
			state(1, "a", "n", "Succeeded"), state(1, "b", "n", "Succeeded"), state(1, "c", "n", "Succeeded"),
		}, []string{RuleRoom}},
		{"device twice", []Record{
			state(0, "a", "n", "Pending", with("0")), state(0, "b", "n", "Pending", with("0")), state(1, "a", "n", "Succeeded"), state(1, "b", "n", "Succeeded"),
		}, []string{RuleDevice}},
		{"bound twice", []Record{state(0, "a", "n", "Pending"), state(1, "a", "m", "Succeeded")}, []string{RuleTwice}},
		{"lies", []Record{state(0, "a", "n", "Running", waits), state(1, "a", "n", "Succeeded")}, []string{RuleLies}},
		{"half a gang", []Record{
			state(0, "a", "n", "Running", in("g", 2)), state(0, "b", "", "Pending", in("g", 2), waits), state(11, "b", "n", "Running", in("g", 2)),
			state(12, "a", "n", "Succeeded", in("g", 2)), state(12, "b", "n", "Succeeded", in("g", 2)),
		}, []string{RuleHalf}},
		{"half a gang for a moment", []Record{
			state(0, "a", "n", "Running", in("g", 2)), state(9, "b", "n", "Running", in("g", 2)),
			state(12, "a", "n", "Succeeded", in("g", 2)), state(30, "b", "n", "Succeeded", in("g", 2)),
		}, nil},
		{"silence", []Record{state(0, "a", "", "Pending"), state(21, "a", "n", "Pending"), state(22, "a", "n", "Succeeded")}, []string{RuleSilence}},
		{"told in time", []Record{state(0, "a", "", "Pending"), state(5, "a", "", "Pending", waits), state(60, "a", "n", "Succeeded")}, nil},
		{"lost", []Record{state(0, "a", "", "Pending", waits)}, []string{RuleLost}},
		{"evicted", []Record{state(0, "a", "n", "Failed")}, []string{RuleLost}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, v := range Check(c.history, Limits{GPUs: map[string]int64{"n": 8, "m": 8}, HalfBound: 10 * time.Second, Silent: 20 * time.Second}) {
				got = append(got, v.Rule)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The same seed hits the same requests, and as many as it is told.
func TestDrawFollowsTheSeed(t *testing.T) {
	const requests = 100_000
	hits, differ := 0, 0
	for i := range requests {
		key := fmt.Sprintf("POST /api/v1/namespaces/default/pods/p-%d/binding", i)
		x := draw(1, key, 0)
		if x != draw(1, key, 0) {
			t.Fatal("the same request is drawn differently")
		}
		if x < 0.1 {
			hits++
		}
		if x != draw(2, key, 0) && x != draw(1, key, 1) {
			differ++
		}
	}
	if hits < requests/10-500 || hits > requests/10+500 || differ != requests {
		t.Errorf("%d of %d are hit at 0.1, and %d differ", hits, requests, differ)
	}
}
