package webpage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/berth/pkg/insight"
)

// Root is the path of the page; all that it asks for is below.
const Root = "/berth/ui/"

const (
	// beat is how often a stream says that it lives.
	beat = 15 * time.Second
	// writePatience is how long a reader may take to accept a message.
	writePatience = 10 * time.Second
)

// policy allows what is served here, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page and all below Root. Streams end with the context. Whoever is let
// through to it may see all: who may is for the caller to say.
func Handler(ctx context.Context, source Source) http.Handler {
	handler, _ := handlerOf(ctx, source)
	return handler
}

func handlerOf(ctx context.Context, source Source) (http.Handler, *hub) {
	h := newHub(ctx, source)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			Refuse(w, http.StatusMethodNotAllowed, errors.New("this page is read, with GET"))
			return
		}
		switch name := strings.TrimPrefix(r.URL.Path, Root); name {
		case "snapshot":
			h.serveSnapshot(w, r)
		case "stream":
			h.serveStream(w, r)
		case "":
			serveAsset(w, "index.html")
		default:
			serveAsset(w, name)
		}
	})
	return handler, h
}

// serveAsset serves a file of the page.
func serveAsset(w http.ResponseWriter, name string) {
	text, err := Asset(name)
	if err != nil {
		Refuse(w, http.StatusNotFound, fmt.Errorf("there is no %q; the page is %s", name, Root))
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" { // what a machine's own table says of it differs
		kind = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // who asked may be gone
}

// Refuse answers with a failure, in the form that all of the scheduler's answers have.
func Refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(insight.Failure{Error: err.Error()}) // who asked may be gone
}

// statusOf is the status for what keeps a reader from joining.
func statusOf(err error) int {
	if errors.Is(err, insight.ErrNotLeading) || errors.Is(err, errBusy) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// serveSnapshot serves what a stream begins with.
func (h *hub) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	reader, err := h.join(r.Context())
	if err != nil {
		Refuse(w, statusOf(err), err)
		return
	}
	h.leave(reader)
	first := <-reader.messages
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(first.data) // who asked may be gone
}

// serveStream serves a snapshot and what changes, until either side ends.
func (h *hub) serveStream(w http.ResponseWriter, r *http.Request) {
	reader, err := h.join(r.Context())
	if err != nil {
		Refuse(w, statusOf(err), err)
		return
	}
	defer h.leave(reader)
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(format string, args ...any) error {
		// Where no deadline can be set, the reader is dropped once it is too far behind.
		_ = control.SetWriteDeadline(time.Now().Add(writePatience))
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return err
		}
		return control.Flush()
	}
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for {
		select {
		case m, more := <-reader.messages:
			// JSON has no line breaks, so that one line holds it.
			if !more || send("event: %s\ndata: %s\n\n", m.event, m.data) != nil {
				return
			}
		case <-alive.C:
			if send(":\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
