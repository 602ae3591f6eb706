//go:build !cgo

package nvml

import (
	"context"
	"errors"
	"time"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// errNone says what to do about a build without cgo.
var errNone = errors.New("this binary was built without cgo, so NVML cannot be read: use --board, or build with CGO_ENABLED=1 and a C compiler")

// Source is none in a build without cgo.
type Source struct{}

// New fails.
func New(string) (*Source, error) { return nil, errNone }

// Open fails.
func (*Source) Open() error { return errNone }

// Close does nothing.
func (*Source) Close() {}

// Read fails.
func (*Source) Read() (*report.Machine, error) { return nil, errNone }

// Wait fails.
func (*Source) Wait(context.Context, time.Duration) ([]report.Fault, error) { return nil, errNone }
