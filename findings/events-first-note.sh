#!/usr/bin/env bash
# An event whose note changes keeps its first note.
#
# What:    k8s.io/client-go v0.37.2, tools/events: the recorder of events.k8s.io/v1, as the
#          kube-scheduler has it.
# Guess:   two events on one object with different notes are two events, or one that shows the
#          later note, as users see it in kubectl describe.
# Seen:    the recorder takes events for one if type, action, reason, reporter, regarding and
#          related are equal. The note is not in that key. The first event is written; of the
#          second, nothing but a count of 2 is, as a series, and its note is dropped. That lasts
#          for as long as the series does, which is renewed by each event.
# Matters: whoever says by the note how things go on ("waits for room", then "is restarted") says
#          it to nobody. What differs has to be in the action, the reason or the related object.
#
# Needs Go and a module proxy. Everything is made in a temporary folder.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

cat >go.mod <<'MOD'
module example.com/finding

go 1.26.0

require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/client-go v0.37.2
)
MOD

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := fake.NewClientset()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		panic(err)
	}
	recorder := broadcaster.NewRecorder(scheme.Scheme, "example.com/scheduler")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "train-0", UID: "1"}}

	// settled waits until the API has what is asked for, and returns all events.
	settled := func(done func([]eventsv1.Event) bool) []eventsv1.Event {
		for ; ; time.Sleep(10 * time.Millisecond) {
			list, err := client.EventsV1().Events("default").List(ctx, metav1.ListOptions{})
			if err != nil {
				panic(err)
			}
			if done(list.Items) || ctx.Err() != nil {
				return list.Items
			}
		}
	}
	recorder.Eventf(pod, nil, corev1.EventTypeWarning, "GangShort", "Repairing", "it waits for room")
	settled(func(all []eventsv1.Event) bool { return len(all) == 1 })
	recorder.Eventf(pod, nil, corev1.EventTypeWarning, "GangShort", "Repairing", "it is restarted elsewhere")
	all := settled(func(all []eventsv1.Event) bool { return len(all) > 1 || all[0].Series != nil })
	for _, e := range all {
		count := int32(1)
		if e.Series != nil {
			count = e.Series.Count
		}
		fmt.Printf("same action:   count %d, note %q\n", count, e.Note)
	}
	if len(all) != 1 || all[0].Series == nil || all[0].Note != "it waits for room" {
		fmt.Println("changed: the second note is not dropped any more")
		os.Exit(1)
	}

	recorder.Eventf(pod, nil, corev1.EventTypeWarning, "GangShort", "RestartCostsLess", "it is restarted elsewhere")
	all = settled(func(all []eventsv1.Event) bool { return len(all) > 1 })
	for _, e := range all {
		fmt.Printf("other action:  %s, note %q\n", e.Action, e.Note)
	}
	if len(all) != 2 {
		fmt.Println("changed: an event with another action is not written")
		os.Exit(1)
	}
}
GO

go mod tidy >/dev/null 2>&1
go list -m k8s.io/client-go
go run .
