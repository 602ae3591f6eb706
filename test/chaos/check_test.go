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
	named := func(name string) func(*Record) { return func(r *Record) { r.Name = name } }
	evicted := func(r *Record) { r.Evicted = true }
	gone := func(r *Record) { r.Gone = true }
	queued := func(r *Record) { r.Queue = "q" }
	waits := func(r *Record) { r.Waits = "Unschedulable" }
	limits := Limits{
		GPUs: map[string]int64{"n": 8, "m": 8}, Queues: map[string]int64{"q": 8},
		HalfBound: 10 * time.Second, Silent: 20 * time.Second,
	}
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
		{"failed", []Record{state(0, "a", "n", "Failed")}, []string{RuleLost}},
		{"evicted, and not made again", []Record{state(0, "a", "n", "Running"), state(1, "a", "n", "Running", evicted, gone)}, []string{RuleLost}},
		{"evicted, and made again", []Record{
			state(0, "a", "n", "Running"), state(1, "a", "n", "Failed", evicted), state(2, "a", "n", "Failed", evicted, gone),
			state(3, "a2", "", "Pending", named("a"), waits), state(60, "a2", "n", "Pending", named("a")), state(61, "a2", "n", "Succeeded", named("a")),
		}, nil},
		{"deleted, and made again", []Record{
			state(0, "a", "n", "Running"), state(2, "a", "n", "Running", gone), state(3, "a2", "n", "Succeeded", named("a")),
		}, []string{RuleDeleted}},
		{"part of a gang evicted", []Record{
			state(0, "a", "n", "Running", in("g", 2)), state(0, "b", "n", "Running", in("g", 2)), state(1, "b", "n", "Failed", in("g", 2), evicted, gone),
			state(2, "b2", "", "Pending", in("g", 2), named("b"), waits), state(13, "b2", "n", "Running", in("g", 2), named("b")),
			state(14, "a", "n", "Succeeded", in("g", 2)), state(15, "b2", "n", "Succeeded", in("g", 2), named("b")),
		}, []string{RuleHalf}},
		{"the rest of a gang evicted", []Record{
			state(0, "a", "n", "Running", in("g", 2)), state(0, "b", "n", "Running", in("g", 2)), state(1, "b", "n", "Failed", in("g", 2), evicted, gone),
			state(2, "a", "n", "Succeeded", in("g", 2)), state(3, "b2", "", "Pending", in("g", 2), named("b"), waits),
			state(30, "b2", "n", "Succeeded", in("g", 2), named("b")),
		}, nil},
		{"over a limit", []Record{
			state(0, "a", "n", "Pending", queued), state(0, "b", "m", "Pending", queued), state(0, "c", "m", "Pending", queued),
			state(1, "a", "n", "Succeeded", queued), state(1, "b", "m", "Succeeded", queued), state(1, "c", "m", "Succeeded", queued),
		}, []string{RuleLimit}},
		{"at a limit", []Record{
			state(0, "a", "n", "Pending", queued), state(0, "b", "m", "Pending", queued), state(1, "a", "n", "Succeeded", queued),
			state(1, "c", "m", "Pending", queued), state(2, "b", "m", "Succeeded", queued), state(2, "c", "m", "Succeeded", queued),
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, v := range Check(c.history, limits) {
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
