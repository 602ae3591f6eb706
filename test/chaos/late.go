package chaos

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// noCancel is a context that goes on when its parent ends.
type noCancel struct{ context.Context }

func (noCancel) Done() <-chan struct{}       { return nil }
func (noCancel) Err() error                  { return nil }
func (noCancel) Deadline() (time.Time, bool) { return time.Time{}, false }

// delayWatch has the events of a watch arrive late.
func (p *Proxy) delayWatch(r *http.Response) error {
	delay := p.faults.Load().WatchDelay
	if delay == 0 || r.Request.URL.Query().Get("watch") == "" || strings.Contains(r.Request.URL.Path, "/leases") {
		return nil
	}
	p.count("late watch")
	r.Body = newLateBody(r.Body, delay)
	return nil
}

// lateBody is a stream of which each part can be read some time after it came.
type lateBody struct {
	source io.Closer
	parts  chan part
	left   []byte
	closed chan struct{}
	once   sync.Once
}

type part struct {
	due  time.Time
	data []byte
}

func newLateBody(source io.ReadCloser, delay time.Duration) *lateBody {
	b := &lateBody{source: source, parts: make(chan part, 1<<14), closed: make(chan struct{})}
	go func() {
		defer close(b.parts)
		for {
			data := make([]byte, 32<<10)
			n, err := source.Read(data)
			if n > 0 {
				select {
				case b.parts <- part{time.Now().Add(delay), data[:n]}:
				case <-b.closed:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return b
}

// Read returns what has become due.
func (b *lateBody) Read(to []byte) (int, error) {
	if len(b.left) == 0 {
		var next part
		var more bool
		select {
		case next, more = <-b.parts:
		case <-b.closed:
		}
		if !more {
			return 0, io.EOF
		}
		timer := time.NewTimer(time.Until(next.due))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-b.closed:
			return 0, io.EOF
		}
		b.left = next.data
	}
	n := copy(to, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close ends the stream.
func (b *lateBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.source.Close()
}
