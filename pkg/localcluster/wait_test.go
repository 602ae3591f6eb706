package localcluster

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// waitFor asks until done returns no error, and fails the test with the last
// error when the time is over.
func waitFor(tb testing.TB, limit time.Duration, done func() error) {
	tb.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after %s: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func quantity(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.DecimalSI) }
