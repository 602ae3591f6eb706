package drill

import (
	"context"
	"fmt"
	"time"
)

// A Fault is something that goes wrong, and can be put right.
type Fault interface {
	Apply(ctx context.Context) error
	Undo(ctx context.Context) error
}

// undoTimeout is how long it may take to put something right after an interruption.
const undoTimeout = 30 * time.Second

// Hold applies a fault, waits for a duration or until ctx ends, and undoes it. Meanwhile it
// tells say, every time that it changes, what watch says; watch may be nil.
func Hold(ctx context.Context, f Fault, d time.Duration, watch func(context.Context) (string, error), say func(string)) error {
	applied := f.Apply(ctx)
	if applied == nil {
		follow(ctx, d, watch, say)
	}
	// What was applied in part is undone too.
	under, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := f.Undo(under); err != nil {
		if applied != nil {
			return fmt.Errorf("%w; undoing it: %w", applied, err)
		}
		return fmt.Errorf("undoing it: %w", err)
	}
	return applied
}

// watchInterval is how often watch is asked.
const watchInterval = time.Second

// follow tells what watch says until a duration is over.
func follow(ctx context.Context, d time.Duration, watch func(context.Context) (string, error), say func(string)) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	start, last := time.Now(), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if watch == nil {
			continue
		}
		line, err := watch(ctx)
		if err != nil {
			line = "the API does not answer: " + err.Error()
		}
		if line != last && ctx.Err() == nil {
			say(fmt.Sprintf("%4.0f s  %s", time.Since(start).Seconds(), line))
			last = line
		}
	}
}
