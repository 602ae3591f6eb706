package drill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// stopped is a process of the control plane that is stopped, as by SIGSTOP.
type stopped struct {
	cluster *localcluster.Running
	name    string
}

// StopEtcd stops etcd, as a full disk does or a lost quorum: nothing can be written, and
// only what the API server has in its caches be read. Undone, it goes on.
func StopEtcd(cluster *localcluster.Running) Fault { return stopped{cluster, "etcd"} }

func (f stopped) Apply(context.Context) error { return f.signal(syscall.SIGSTOP) }

func (f stopped) Undo(context.Context) error { return f.signal(syscall.SIGCONT) }

func (f stopped) signal(signal syscall.Signal) error {
	pid, err := f.cluster.Process(f.name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("sending %s to %s, process %d: %w", signal, f.name, pid, err)
	}
	return nil
}

// slow is a process that is stopped again and again.
type slow struct {
	stopped
	stop, period time.Duration

	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu
	done   chan struct{}      // guarded by mu
}

// SlowAPI stops kube-apiserver for a while in each period, so that some requests are answered
// late. It does so until it is undone, by this program only.
func SlowAPI(cluster *localcluster.Running, stop, period time.Duration) Fault {
	return &slow{stopped: stopped{cluster, "kube-apiserver"}, stop: stop, period: period}
}

func (f *slow) Apply(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		return errors.New("the API is slow already")
	}
	if err := f.signal(syscall.SIGCONT); err != nil {
		return err
	}
	under, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel, f.done = cancel, make(chan struct{})
	go f.run(under, f.done)
	return nil
}

// run stops the process and lets it go on, in turn, until ctx ends.
func (f *slow) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	for ctx.Err() == nil {
		if f.signal(syscall.SIGSTOP) != nil {
			return // it has ended; Undo says so
		}
		_ = sleep(ctx, f.stop)
		if f.signal(syscall.SIGCONT) != nil {
			return
		}
		_ = sleep(ctx, f.period-f.stop)
	}
}

// Undo has the process go on, whoever stopped it.
func (f *slow) Undo(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
		<-f.done
		f.cancel = nil
	}
	return f.stopped.Undo(ctx)
}
