package webpage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/insight"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// played is a source that says what it is told to, and counts how often it is asked.
type played struct {
	mu    sync.Mutex
	err   error
	gangs []insight.Gang
	nodes []Node
	asked int
	insight.Journal
}

func (p *played) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *played) Nodes(context.Context) ([]Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Node(nil), p.nodes...), p.err
}

func (p *played) Gangs(context.Context, insight.GangQuery) (*insight.Gangs, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return &insight.Gangs{Gangs: append([]insight.Gang(nil), p.gangs...)}, p.err
}

func (p *played) Queues(context.Context) (*insight.Queues, error) { return &insight.Queues{}, nil }

func (p *played) Events(_ context.Context, after uint64) (*insight.Events, error) {
	events, last, missed := p.After(after)
	return &insight.Events{Events: events, Last: last, Missed: missed}, nil
}

// serve serves a source whose rounds begin when something is sent to the channel.
func serve(t *testing.T, source Source) (url string, rounds chan time.Time, h *hub) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	rounds = make(chan time.Time)
	handler, h := handlerOf(ctx, source)
	h.pause = func(time.Duration) <-chan time.Time { return rounds }
	server := httptest.NewServer(handler)
	t.Cleanup(func() { cancel(); server.Close() })
	return server.URL + Root, rounds, h
}

func get(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestPage(t *testing.T) {
	url, _, _ := serve(t, &played{})
	tests := []struct {
		name, method, path, kind string
		status                   int
	}{
		{name: "the page", kind: "text/html; charset=utf-8", status: 200},
		{name: "a script", path: "page.js", kind: "text/javascript; charset=utf-8", status: 200},
		{name: "the style", path: "page.css", kind: "text/css; charset=utf-8", status: 200},
		{name: "the icon", path: "icon.svg", kind: "image/svg+xml", status: 200},
		{name: "a snapshot", path: "snapshot", kind: "application/json", status: 200},
		{name: "nothing", path: "none", kind: "application/json", status: 404},
		{name: "a folder", path: "..%2fassets", kind: "application/json", status: 404},
		{name: "a write", method: http.MethodPost, kind: "application/json", status: 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			response, _ := get(t, method, url+test.path)
			if got := response.Header.Get("Content-Type"); response.StatusCode != test.status || got != test.kind {
				t.Errorf("status %d, want %d; type %q, want %q", response.StatusCode, test.status, got, test.kind)
			}
			csp := response.Header.Get("Content-Security-Policy")
			if !contains(csp, "default-src 'none'") || !contains(csp, "script-src 'self'") || contains(csp, "unsafe") {
				t.Errorf("the policy is %q", csp)
			}
			if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options is %q", got)
			}
		})
	}
}

// The page has no script or style that the policy forbids, loads nothing from elsewhere, and
// its scripts build no markup from strings.
func TestAssetsKeepThePolicy(t *testing.T) {
	for name, forbidden := range map[string]string{
		"index.html": `(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son\w+=|https?:|(src|href)="[/.]*//`,
		"page.js":    `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?:`,
		"map.js":     `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?:`,
		"gangs.js":   `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?:`,
		"stream.js":  `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?:`,
		"page.css":   `(?i)@import|url\(`,
	} {
		text, err := Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(forbidden).FindString(string(text)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

// stream is a stream that is read.
type stream struct {
	lines *bufio.Scanner
	close func() error
}

func open(t *testing.T, url string) *stream {
	t.Helper()
	response, err := http.Get(url + "stream")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, type %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 64<<20)
	return &stream{lines, response.Body.Close}
}

// next returns the next event and its data; "" at the end.
func (s *stream) next() (event, data string) {
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			event = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			return event, line[len("data: "):]
		}
	}
	return "", ""
}

func gangNamed(name, state string) insight.Gang {
	return insight.Gang{Namespace: "ns", Name: name, State: state}
}

func TestStream(t *testing.T) {
	p := &played{nodes: []Node{{Name: "n1", GPUs: 8}, {Name: "n2", GPUs: 8}}, gangs: []insight.Gang{gangNamed("a", insight.Pending)}}
	p.Add(insight.Event{Action: insight.ActionHeld, Gang: "a"})
	url, rounds, _ := serve(t, p)
	s := open(t, url)
	event, data := s.next()
	var first Snapshot
	if err := json.Unmarshal([]byte(data), &first); err != nil || event != "snapshot" {
		t.Fatalf("%s %s: %v", event, data, err)
	}
	if len(first.Frame[Nodes]) != 2 || len(first.Frame[Gangs]) != 1 || len(first.Events) != 1 {
		t.Errorf("the snapshot is %s", data)
	}
	rounds <- time.Time{} // nothing has changed, so nothing is said
	rounds <- time.Time{}
	p.set(func() {
		p.nodes = []Node{{Name: "n1", GPUs: 8, Pods: []Seat{{Gang: "ns/a", Pod: "ns/a-0", GPUs: 8}}}}
		p.gangs = []insight.Gang{gangNamed("a", insight.Placed)}
	})
	p.Add(insight.Event{Action: insight.ActionPlaced, Gang: "a"})
	// The round before may have been under way, and have told of the event alone.
	frame, events := first.Frame, 0
	for round := 0; events == 0 || len(frame[Nodes]) != 1; round++ {
		if round == 2 {
			t.Fatalf("after two rounds a reader has %d events and %s", events, frame)
		}
		rounds <- time.Time{}
		event, data = s.next()
		var delta Delta
		if err := json.Unmarshal([]byte(data), &delta); err != nil || event != "delta" {
			t.Fatalf("%s %s: %v", event, data, err)
		}
		if len(delta.Events) > 1 || len(delta.Events) == 1 && delta.Events[0].Seq != 2 {
			t.Errorf("the delta is %s", data)
		}
		frame, events = frame.Apply(delta), events+len(delta.Events)
	}
	_, whole := get(t, http.MethodGet, url+"snapshot")
	var now Snapshot
	if err := json.Unmarshal([]byte(whole), &now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(now.Frame, frame); diff != "" || len(now.Events) != 2 || events != 1 {
		t.Errorf("a reader of deltas has another frame than one that begins (-want +got):\n%s\n%s", diff, whole)
	}

	p.set(func() { p.err = errors.New("broken") })
	rounds <- time.Time{}
	if event, data = s.next(); event != "failure" || !contains(data, "broken") {
		t.Errorf("%s %s", event, data)
	}
	if event, data = s.next(); event != "" {
		t.Errorf("after a failure: %s %s", event, data)
	}
}

func TestNothingIsWorkedOutForNobody(t *testing.T) {
	p := &played{}
	url, rounds, h := serve(t, p)
	get(t, http.MethodGet, url+"snapshot")
	rounds <- time.Time{} // the loop sees that nobody reads, and ends
	until(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.began == nil })
	select {
	case rounds <- time.Time{}:
		t.Error("rounds go on while nobody reads")
	default:
	}
	if p.asked != 1 {
		t.Errorf("the source was asked %d times for one snapshot", p.asked)
	}
	get(t, http.MethodGet, url+"snapshot")
	if p.asked != 2 {
		t.Errorf("the source was asked %d times for two snapshots", p.asked)
	}
}

func TestReadersAreBounded(t *testing.T) {
	url, rounds, h := serve(t, &played{})
	var all []*stream
	for range MostReaders {
		s := open(t, url)
		if event, _ := s.next(); event != "snapshot" {
			t.Fatalf("a stream begins with %q", event)
		}
		all = append(all, s)
	}
	response, body := get(t, http.MethodGet, url+"stream")
	if response.StatusCode != http.StatusServiceUnavailable || !contains(body, "32 readers") {
		t.Errorf("one too many: status %d, %s", response.StatusCode, body)
	}
	if err := all[0].close(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.readers) < MostReaders })
	if event, _ := open(t, url).next(); event != "snapshot" {
		t.Errorf("with room again, a stream begins with %q", event)
	}
	rounds <- time.Time{}
}

// A reader that takes nothing is dropped, and the others hear all.
func TestSlowReaderIsDropped(t *testing.T) {
	p := &played{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, h := handlerOf(ctx, p)
	rounds := make(chan time.Time)
	h.pause = func(time.Duration) <-chan time.Time { return rounds }
	slow, err := h.join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := h.join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-quick.messages
	for i := range backlog + 1 {
		p.set(func() { p.gangs = []insight.Gang{gangNamed(fmt.Sprint("g", i), insight.Placed)} })
		rounds <- time.Time{}
		if m := <-quick.messages; m.event != "delta" {
			t.Fatalf("round %d: %q", i, m.event)
		}
	}
	n := 0
	for range slow.messages { // ends, as it was dropped
		n++
	}
	if n != backlog {
		t.Errorf("the slow one had %d messages, want %d", n, backlog)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
	}{
		{insight.ErrNotLeading, http.StatusServiceUnavailable},
		{errors.New("broken"), http.StatusInternalServerError},
	} {
		url, _, _ := serve(t, &played{err: test.err})
		for _, path := range []string{"stream", "snapshot"} {
			response, body := get(t, http.MethodGet, url+path)
			var failure insight.Failure
			if err := json.Unmarshal([]byte(body), &failure); err != nil || response.StatusCode != test.status || !contains(failure.Error, test.err.Error()) {
				t.Errorf("%s of %v: status %d, %s", path, test.err, response.StatusCode, body)
			}
		}
	}
}

// Streams end with the scheduler, so that its server can.
func TestStreamEndsWithTheScheduler(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	handler, h := handlerOf(ctx, &played{})
	h.pause = func(time.Duration) <-chan time.Time { return nil }
	server := httptest.NewServer(handler)
	defer server.Close()
	s := open(t, server.URL+Root)
	s.next()
	cancel()
	if event, data := s.next(); event != "failure" || !contains(data, "ends") {
		t.Errorf("%s %s", event, data)
	}
}

// until waits for something to come about.
func until(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about in 10 s")
		}
	}
}
