package insight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// The paths.
const (
	Root       = "/berth/" + Version + "/"
	WhyPath    = Root + "why"
	GangsPath  = Root + "gangs"
	QueuesPath = Root + "queues"
	EventsPath = Root + "events"
	TopPath    = Root + "top"
)

// Errors that a Source returns. Others are answered with 500.
var (
	// ErrNotFound: there is nobody of the name.
	ErrNotFound = errors.New("not found")
	// ErrNotLeading: this replica does not lead.
	ErrNotLeading = errors.New("this replica of the scheduler does not lead, so it decides nothing; ask the one that holds the lease")
	// ErrInvalid: the query makes no sense.
	ErrInvalid = errors.New("invalid query")
)

// GangQuery says which gangs are asked for; an empty field leaves it open.
type GangQuery struct {
	Namespace, Queue, State string
	// Limit is how many are returned at most.
	Limit int
}

// Source works out the answers. Its methods are called concurrently.
type Source interface {
	// Why says why a gang or plain pod waits. The name is that of a gang, of a pod of it, or
	// of the object that declares it.
	Why(ctx context.Context, namespace, name string) (*Why, error)
	Gangs(ctx context.Context, query GangQuery) (*Gangs, error)
	Queues(ctx context.Context) (*Queues, error)
	Events(ctx context.Context, after uint64) (*Events, error)
	// Top returns the domains of a level, the narrowest that nodes have if it is empty.
	Top(ctx context.Context, level string, nodes bool) (*Top, error)
}

// mostGangs is how many gangs an answer has at most.
const mostGangs = 5000

// Install adds the pages to a server's. Whoever is let through to them may see all.
func Install(handle func(path string, handler func(http.ResponseWriter, *http.Request)), source Source) {
	page := func(path string, get func(*http.Request) (any, error)) {
		handle(path, func(w http.ResponseWriter, r *http.Request) { serve(w, r, get) })
	}
	page(WhyPath, func(r *http.Request) (any, error) {
		namespace, name := r.FormValue("namespace"), r.FormValue("name")
		if namespace == "" || name == "" {
			return nil, fmt.Errorf("%w: give namespace and name, as in %s?namespace=default&name=train", ErrInvalid, WhyPath)
		}
		return source.Why(r.Context(), namespace, name)
	})
	page(GangsPath, func(r *http.Request) (any, error) {
		q := GangQuery{Namespace: r.FormValue("namespace"), Queue: r.FormValue("queue"), State: r.FormValue("state"), Limit: mostGangs}
		if q.State != "" && q.State != Pending && q.State != Placed {
			return nil, fmt.Errorf("%w: state is %s or %s, not %q", ErrInvalid, Pending, Placed, q.State)
		}
		limit, err := number(r, "limit", mostGangs)
		q.Limit = min(int(limit), mostGangs)
		if err != nil {
			return nil, err
		}
		return source.Gangs(r.Context(), q)
	})
	page(QueuesPath, func(r *http.Request) (any, error) { return source.Queues(r.Context()) })
	page(EventsPath, func(r *http.Request) (any, error) {
		after, err := number(r, "after", 0)
		if err != nil {
			return nil, err
		}
		return source.Events(r.Context(), after)
	})
	page(TopPath, func(r *http.Request) (any, error) {
		return source.Top(r.Context(), r.FormValue("level"), r.FormValue("nodes") == "true")
	})
}

// number reads a number of a query.
func number(r *http.Request, name string, unset uint64) (uint64, error) {
	text := r.FormValue(name)
	if text == "" {
		return unset, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: %s is a whole number, not %q", ErrInvalid, name, text)
	}
	return n, nil
}

// serve answers a request.
func serve(w http.ResponseWriter, r *http.Request, get func(*http.Request) (any, error)) {
	status, body := http.StatusOK, any(nil)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		status, body = http.StatusMethodNotAllowed, Failure{Error: "this page is read, with GET"}
	} else if answer, err := get(r); err == nil {
		body = answer
	} else {
		body = Failure{Error: err.Error()}
		switch {
		case errors.Is(err, ErrNotFound):
			status = http.StatusNotFound
		case errors.Is(err, ErrNotLeading):
			status = http.StatusServiceUnavailable
		case errors.Is(err, ErrInvalid):
			status = http.StatusBadRequest
		default:
			status = http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// Who asked may be gone; nobody is left to hear of it.
	_ = encoder.Encode(body)
}
