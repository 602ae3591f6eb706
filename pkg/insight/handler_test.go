package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is a source that says what it was asked.
type asked struct {
	err error
	got string
}

func (s *asked) Why(_ context.Context, namespace, name string) (*Why, error) {
	s.got = namespace + "/" + name
	return &Why{Head: Head{Version: Version}, Blockers: []Blocker{}}, s.err
}

func (s *asked) Gangs(_ context.Context, q GangQuery) (*Gangs, error) {
	s.got = fmt.Sprintf("%+v", q)
	return &Gangs{}, s.err
}

func (s *asked) Queues(context.Context) (*Queues, error) {
	s.got = "queues"
	return &Queues{}, s.err
}

func (s *asked) Events(_ context.Context, after uint64) (*Events, error) {
	s.got = fmt.Sprint("after ", after)
	return &Events{}, s.err
}

func (s *asked) Top(_ context.Context, level string, nodes bool) (*Top, error) {
	s.got = fmt.Sprint(level, " ", nodes)
	return &Top{}, s.err
}

func TestPages(t *testing.T) {
	tests := []struct {
		name, method, url string
		err               error
		status            int
		got               string
	}{
		{name: "why", url: "/berth/v1/why?namespace=a&name=b", status: 200, got: "a/b"},
		{name: "why of nobody", url: "/berth/v1/why?namespace=a&name=b", err: fmt.Errorf("%w: no gang", ErrNotFound), status: 404, got: "a/b"},
		{name: "without a name", url: "/berth/v1/why?namespace=a", status: 400},
		{name: "gangs", url: "/berth/v1/gangs", status: 200, got: "{Namespace: Queue: State: Limit:5000}"},
		{name: "some gangs", url: "/berth/v1/gangs?namespace=a&queue=q&state=Pending&limit=7", status: 200, got: "{Namespace:a Queue:q State:Pending Limit:7}"},
		{name: "no such state", url: "/berth/v1/gangs?state=Waiting", status: 400},
		{name: "no limit", url: "/berth/v1/gangs?limit=-1", status: 400},
		{name: "more than the limit", url: "/berth/v1/gangs?limit=999999999", status: 200, got: "{Namespace: Queue: State: Limit:5000}"},
		{name: "queues", url: "/berth/v1/queues", status: 200, got: "queues"},
		{name: "not the leader", url: "/berth/v1/queues", err: ErrNotLeading, status: 503, got: "queues"},
		{name: "broken", url: "/berth/v1/queues", err: fmt.Errorf("broken"), status: 500, got: "queues"},
		{name: "events", url: "/berth/v1/events?after=12", status: 200, got: "after 12"},
		{name: "events of no number", url: "/berth/v1/events?after=x", status: 400},
		{name: "top", url: "/berth/v1/top?level=rack&nodes=true", status: 200, got: "rack true"},
		{name: "write", method: http.MethodPost, url: "/berth/v1/top", status: 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := &asked{err: test.err}
			mux := http.NewServeMux()
			Install(mux.HandleFunc, source)
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, test.url, nil))
			if w.Code != test.status || source.got != test.got {
				t.Errorf("status %d, want %d; asked %q, want %q", w.Code, test.status, source.got, test.got)
			}
			var failure Failure
			if err := json.Unmarshal(w.Body.Bytes(), &failure); err != nil || (failure.Error == "") != (test.status == 200) {
				t.Errorf("body %s: %v", w.Body, err)
			}
		})
	}
}

func TestJournal(t *testing.T) {
	j := &Journal{}
	numbers := func(after uint64) string {
		events, last, missed := j.After(after)
		if len(events) == 0 {
			return fmt.Sprintf("none, last %d, missed %v", last, missed)
		}
		return fmt.Sprintf("%d to %d (%d), last %d, missed %v", events[0].Seq, events[len(events)-1].Seq, len(events), last, missed)
	}
	add := func(n int) {
		for range n {
			j.Add(Event{Time: time.Unix(1, 0)})
		}
	}
	var got []string
	got = append(got, numbers(0))
	add(3)
	got = append(got, numbers(0), numbers(2), numbers(3), numbers(9))
	add(1500)
	got = append(got, numbers(0), numbers(502), numbers(503), numbers(504), numbers(1503))
	want := []string{
		"none, last 0, missed false",
		"1 to 3 (3), last 3, missed false", "3 to 3 (1), last 3, missed false", "none, last 3, missed false", "1 to 3 (3), last 3, missed true",
		"504 to 1503 (1000), last 1503, missed false", "504 to 1503 (1000), last 1503, missed true", "504 to 1503 (1000), last 1503, missed false",
		"505 to 1503 (999), last 1503, missed false", "none, last 1503, missed false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
