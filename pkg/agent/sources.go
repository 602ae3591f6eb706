package agent

import (
	"context"
	"time"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// Hardware is what the agent asks of the machine. One goroutine calls it.
type Hardware interface {
	// Open connects to the driver. It fails with report.ErrNoDriver if there is none.
	Open() error
	// Close ends what Open began.
	Close()
	// Read returns the hardware as it is now. It fails only if nothing can be read:
	// what cannot be told of one device or pair is left out, with a note.
	Read() (*report.Machine, error)
	// Wait returns faults that the driver has told of since the last Wait, each once.
	// It waits for them until the limit or the end of the context, and then returns
	// none.
	Wait(ctx context.Context, limit time.Duration) ([]report.Fault, error)
}

// Kubelet is what the agent asks of the kubelet.
type Kubelet interface {
	// List returns what containers hold now.
	List(ctx context.Context) ([]report.Held, error)
}
