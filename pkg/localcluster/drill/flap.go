package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// Flaps says how nodes come and go.
type Flaps struct {
	Times int
	// Down is for how long they stay not ready, from when their condition says so, and Up for
	// how long they are then ready.
	Down, Up time.Duration
	// Patience is how long their condition may take to follow.
	Patience time.Duration
}

// Flap has nodes go dark and come back, several times. They are left as they should be, also
// when ctx ends.
func Flap(ctx context.Context, client kubernetes.Interface, nodes []string, f Flaps, say func(string)) error {
	fault := Darken(client, nodes)
	for i := 1; i <= f.Times; i++ {
		err := fault.Apply(ctx)
		if err == nil {
			say(fmt.Sprintf("%d of %d: dark", i, f.Times))
			err = awaitReady(ctx, client, nodes, false, f.Patience)
		}
		if err == nil {
			say(fmt.Sprintf("%d of %d: not ready; back in %s", i, f.Times, f.Down))
			err = sleep(ctx, f.Down)
		}
		under, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		undone := fault.Undo(under)
		cancel()
		if err = errors.Join(err, undone); err != nil {
			return err
		}
		if err := awaitReady(ctx, client, nodes, true, f.Patience); err != nil {
			return err
		}
		say(fmt.Sprintf("%d of %d: ready", i, f.Times))
		if i < f.Times {
			if err := sleep(ctx, f.Up); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitReady waits until all of some nodes are ready, or all are not.
func awaitReady(ctx context.Context, client kubernetes.Interface, nodes []string, ready bool, patience time.Duration) error {
	not := ""
	if !ready {
		not = "not "
	}
	at := ""
	err := wait.PollUntilContextTimeout(ctx, watchInterval, patience, true, func(ctx context.Context) (bool, error) {
		for _, name := range nodes {
			node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{ResourceVersion: "0"})
			if err != nil {
				return false, err
			}
			if at = name; isReady(node) != ready {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil && wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("node %q is not %sready after %s; does %s run?", at, not, patience, "kube-controller-manager with its controller node-lifecycle-controller")
	}
	return err
}

// sleep waits for a while, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
