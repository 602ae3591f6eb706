package drills

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// replicaCount is that of the manifests: one leads, the other stands by.
	replicaCount = 2
	// restartAfter is how long after a replica has ended it is started again.
	restartAfter = time.Second
	// mostStarts is how many replicas are started in all. More, and they do not stay up.
	mostStarts = 40
	// The lines of client-go's leader election, in lower case.
	standsBy, leads = "attempting to acquire leader lease", "successfully acquired lease"
)

// replicas are the schedulers. One that ends is started again, as by its kubelet.
type replicas struct {
	start func(name string) (*localcluster.Program, error)

	mu      sync.Mutex
	running []*replica // guarded by mu
	logs    []string   // of all that were started; guarded by mu
	notes   []notice   // what became of them; guarded by mu
	failed  error      // why there are no more; guarded by mu
}

// A replica is one scheduler.
type replica struct {
	*localcluster.Program
	name    string
	retired bool // it is not started again
	leads   bool
}

// run starts a replica.
func (r *replicas) run(ctx context.Context) (*replica, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.logs) == mostStarts {
		return nil, fmt.Errorf("%d replicas of the scheduler were started, and they do not stay up", mostStarts)
	}
	name := fmt.Sprintf("berth-%d", len(r.logs)+1)
	program, err := r.start(name)
	if err != nil {
		return nil, err
	}
	started := &replica{Program: program, name: name}
	r.running, r.logs = append(r.running, started), append(r.logs, program.LogPath())
	go func() {
		select {
		case <-ctx.Done():
		case <-program.Exited():
			r.ended(ctx, started)
		}
	}()
	return started, nil
}

// ended notes that a replica ended, and starts another in its place.
func (r *replicas) ended(ctx context.Context, which *replica) {
	r.mu.Lock()
	r.running = slices.DeleteFunc(r.running, func(other *replica) bool { return other == which })
	retired := which.retired
	r.notes = append(r.notes, notice{at: time.Now(), note: which.name + " has ended"})
	r.mu.Unlock()
	if retired {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(restartAfter):
	}
	if next, err := r.run(ctx); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed = errors.Join(err, which.Failure())
	} else {
		r.note("%s is started in its place", next.name)
	}
}

func (r *replicas) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, notice{at: time.Now(), note: fmt.Sprintf(format, args...)})
}

// leader returns the replica that leads, nil if none says so, and notes when one begins to.
func (r *replicas) leader() *replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.running {
		if !p.leads && p.says(leads) {
			p.leads = true
			r.notes = append(r.notes, notice{at: time.Now(), note: p.name + " leads"})
		}
		if p.leads {
			return p
		}
	}
	return nil
}

// says reports whether a line is in the log of a replica.
func (p *replica) says(line string) bool {
	text, err := os.ReadFile(p.LogPath())
	return err == nil && bytes.Contains(bytes.ToLower(text), []byte(line))
}

// retire has a replica end by SIGTERM, and waits for it.
func (r *replicas) retire(ctx context.Context, which *replica) {
	r.mu.Lock()
	which.retired = true
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	which.Terminate(ctx)
}

// now returns the replicas that run.
func (r *replicas) now() []*replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.running)
}

// failure says why there are no more replicas.
func (r *replicas) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// since returns what became of replicas since a time.
func (r *replicas) since(start time.Time) []notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.notes), func(n notice) bool { return n.at.Before(start) })
}

// log is the text of all logs, one after the other.
func (r *replicas) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	for _, path := range r.logs {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&out, "==> %s\n%s\n", path, text)
	}
	return out.String()
}
