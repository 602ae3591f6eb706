package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

// TestTroubles checks that each kind is logged when it begins, changes and is over.
func TestTroubles(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	ctx := klog.NewContext(t.Context(), logger)
	log := troubles{}
	a, b := errors.New("a"), errors.New("b")
	var many []string
	for i := range maxSentences + 3 {
		many = append(many, fmt.Sprintf("Sentence %d.", i))
	}
	for _, step := range []struct {
		name string
		do   func()
		want string // in what is logged; "" for nothing
	}{
		{"nothing", func() { log.set(ctx, "x", nil) }, ""},
		{"begins", func() { log.set(ctx, "x", a) }, `err="a"`},
		{"stays", func() { log.set(ctx, "x", a) }, ""},
		{"another", func() { log.set(ctx, "y", a) }, `with="y"`},
		{"changes", func() { log.set(ctx, "x", b) }, `err="b"`},
		{"is over", func() { log.set(ctx, "x", nil) }, "over"},
		{"stays over", func() { log.set(ctx, "x", nil) }, ""},
		{"begins again", func() { log.set(ctx, "x", b) }, `err="b"`},
		{"many sentences", func() { log.note(ctx, "z", many) }, "And 3 more."},
		{"the same", func() { log.note(ctx, "z", many) }, ""},
		{"none", func() { log.note(ctx, "z", nil) }, "over"},
	} {
		buffer := logger.GetSink().(ktesting.Underlier).GetBuffer()
		before := len(buffer.String())
		step.do()
		got := buffer.String()[before:]
		if step.want == "" && got != "" || !strings.Contains(got, step.want) {
			t.Errorf("%s: logged %q, want %q", step.name, got, step.want)
		}
	}
}
