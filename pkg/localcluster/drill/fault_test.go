package drill

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// recorded is a fault that keeps account.
type recorded struct {
	calls []string
	fails error
}

func (f *recorded) Apply(context.Context) error {
	f.calls = append(f.calls, "apply")
	return f.fails
}

func (f *recorded) Undo(ctx context.Context) error {
	f.calls = append(f.calls, "undo")
	return ctx.Err()
}

func TestHold(t *testing.T) {
	none := func(string) {}
	f := &recorded{}
	if err := Hold(t.Context(), f, time.Millisecond, nil, none); err != nil || strings.Join(f.calls, " ") != "apply undo" {
		t.Errorf("held: %v, %v", f.calls, err)
	}
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	f = &recorded{}
	if err := Hold(interrupted, f, time.Hour, nil, none); err != nil || strings.Join(f.calls, " ") != "apply undo" {
		t.Errorf("interrupted: %v, %v", f.calls, err)
	}
	// What was applied by half is undone.
	f = &recorded{fails: errors.New("the second node is not there")}
	if err := Hold(t.Context(), f, time.Hour, nil, none); !errors.Is(err, f.fails) || strings.Join(f.calls, " ") != "apply undo" {
		t.Errorf("applied by half: %v, %v", f.calls, err)
	}
}
