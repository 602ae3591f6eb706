//go:build !cgo

package nvml

import (
	"strings"
	"testing"
)

// Without cgo, whoever asks is told what to do.
func TestNone(t *testing.T) {
	_, err := New("/sys")
	for _, want := range []string{"--board", "CGO_ENABLED=1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
