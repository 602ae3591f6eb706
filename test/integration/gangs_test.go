package integration

import (
	"context"
	"testing"
	"time"
)

func TestGangIsPlacedWhole(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	gang := gangOf("w", 4, 8, ours("train", 4))
	e.create(t, ns, gang[:3]...)
	e.create(t, ns, pod("single", 1))
	e.expectBound(t, ns, 1)
	never(t, "a member of a gang with 3 of 4 pods was bound", time.Second, func(ctx context.Context) (bool, error) {
		n, err := e.bound(ctx, ns)
		return n > 1, err
	})
	e.create(t, ns, gang[3])
	e.expectBound(t, ns, 5)
}
