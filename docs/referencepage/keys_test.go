package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/dialect"
)

// The scheduler warns of no key that the page says it reads.
func TestKeysOfPodsAreKnown(t *testing.T) {
	of := 0
	for _, k := range keys {
		if !strings.HasPrefix(k.on, "pod") {
			continue
		}
		of++
		pod := &corev1.Pod{}
		if k.what == "label" {
			pod.Labels = map[string]string{k.name: ""}
		} else {
			pod.Annotations = map[string]string{k.name: ""}
		}
		for _, sentence := range dialect.UnknownKeys(pod) {
			t.Error(sentence)
		}
	}
	if of < 10 {
		t.Errorf("only %d keys are of pods", of)
	}
}
