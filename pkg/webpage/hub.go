package webpage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/berth-dev/berth/pkg/insight"
)

const (
	// Period is how often a frame is made while somebody reads.
	Period = 500 * time.Millisecond
	// A round is followed by a pause that is so many times as long, however large the cluster.
	rest = 4
	// MostReaders is how many may read at once.
	MostReaders = 32
	// backlog is how many messages a reader may be behind before it is dropped.
	backlog = 8
)

// errBusy: there are as many readers as there may be.
var errBusy = fmt.Errorf("%d readers have the page open, and there may be no more; close one, or try again later", MostReaders)

// message is one of the stream: the type of the event, and JSON.
type message struct {
	event string
	data  []byte
}

// reader is one who reads. Its channel is closed when it is dropped.
type reader struct {
	messages chan message
	// started says that it has its snapshot, and err why it was dropped, if the hub failed.
	started bool
	err     error
}

// hub makes frames for those who read. Its loop runs while there is somebody.
type hub struct {
	source Source
	ctx    context.Context
	// pause returns what starts the next round, after one that took a while.
	pause func(took time.Duration) <-chan time.Time

	mu      sync.Mutex
	readers map[*reader]struct{}
	// began is closed once the loop that runs has made its first frame, or failed; nil while
	// none runs.
	began chan struct{}
	// snapshot and last are those of the last round; frame is as in snapshot.
	snapshot Snapshot
	last     uint64
	// text is the snapshot as JSON, nil if it was not asked for since the last round.
	text []byte
}

func newHub(ctx context.Context, source Source) *hub {
	return &hub{source: source, ctx: ctx, readers: map[*reader]struct{}{}, pause: func(took time.Duration) <-chan time.Time {
		return time.After(max(Period, rest*took))
	}}
}

// join adds a reader, and returns it once its first message is there: the snapshot.
func (h *hub) join(ctx context.Context) (*reader, error) {
	r := &reader{messages: make(chan message, backlog)}
	h.mu.Lock()
	if len(h.readers) >= MostReaders {
		h.mu.Unlock()
		return nil, errBusy
	}
	h.readers[r] = struct{}{}
	if h.began == nil {
		h.began = make(chan struct{})
		go h.run(h.began)
	}
	began := h.began
	h.mu.Unlock()

	select {
	case <-began:
	case <-ctx.Done():
		h.leave(r)
		return nil, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.readers[r]; !there { // the loop has failed
		return nil, r.err
	}
	text, err := h.encoded()
	if err != nil {
		delete(h.readers, r)
		return nil, err
	}
	r.started = true
	r.messages <- message{"snapshot", text}
	return r, nil
}

// encoded returns the snapshot as JSON.
func (h *hub) encoded() ([]byte, error) {
	if h.text == nil {
		text, err := json.Marshal(h.snapshot)
		if err != nil {
			return nil, fmt.Errorf("writing the snapshot: %w", err)
		}
		h.text = text
	}
	return h.text, nil
}

// leave takes a reader out.
func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(r)
}

func (h *hub) drop(r *reader) {
	if _, there := h.readers[r]; there {
		delete(h.readers, r)
		close(r.messages)
	}
}

// run makes frames until nobody reads, the scheduler ends or the source fails.
func (h *hub) run(began chan struct{}) {
	for first := true; h.wanted(); first = false {
		start := time.Now()
		err := h.round(first)
		if err != nil {
			h.end(err)
		}
		if first {
			close(began)
		}
		if err != nil {
			return
		}
		select {
		case <-h.pause(time.Since(start)):
		case <-h.ctx.Done():
			h.end(errors.New("the scheduler ends"))
			return
		}
	}
}

// wanted reports whether somebody reads; if not, the next who comes starts another loop.
func (h *hub) wanted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) > 0 {
		return true
	}
	h.began, h.snapshot, h.text = nil, Snapshot{}, nil
	return false
}

// end ends the loop and all streams, and says why.
func (h *hub) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began, h.snapshot, h.text = nil, Snapshot{}, nil
	h.fail(err)
}

// round makes a frame.
func (h *hub) round(first bool) error {
	frame, leftOut, err := frameOf(h.ctx, h.source)
	if err != nil {
		return err
	}
	var after uint64
	if !first {
		after = h.last // only the loop that runs writes it
	}
	events, err := h.source.Events(h.ctx, after)
	if err != nil {
		return fmt.Errorf("listing decisions: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !first {
		return h.next(frame, leftOut, events)
	}
	h.snapshot = Snapshot{Frame: frame, LeftOut: leftOut, Events: events.Events}
	h.last, h.text = events.Last, nil
	return nil
}

// next tells all who have a snapshot what is new.
func (h *hub) next(frame Frame, leftOut int, events *insight.Events) error {
	delta := frame.Since(h.snapshot.Frame)
	delta.LeftOut, delta.Events, delta.Missed = leftOut, events.Events, events.Missed
	quiet := delta.Empty() && leftOut == h.snapshot.LeftOut
	h.snapshot = Snapshot{Frame: frame, LeftOut: leftOut, Events: lastOf(h.snapshot.Events, events)}
	h.last = events.Last
	if quiet {
		return nil
	}
	h.text = nil
	text, err := json.Marshal(delta)
	if err != nil {
		return fmt.Errorf("writing a delta: %w", err)
	}
	for r := range h.readers {
		if !r.started {
			continue
		}
		select {
		case r.messages <- message{"delta", text}:
		default:
			h.drop(r)
		}
	}
	return nil
}

// mostEvents is how many decisions a snapshot has.
const mostEvents = 1000

func lastOf(before []insight.Event, events *insight.Events) []insight.Event {
	if events.Missed {
		before = nil
	}
	// A new slice: the old one may be read.
	all := append(before[:len(before):len(before)], events.Events...)
	return all[max(0, len(all)-mostEvents):]
}

// fail ends all streams and says why.
func (h *hub) fail(err error) {
	text, _ := json.Marshal(insight.Failure{Error: err.Error()}) // a string can be written
	for r := range h.readers {
		r.err = err
		select {
		case r.messages <- message{"failure", text}:
		default:
		}
		h.drop(r)
	}
}
