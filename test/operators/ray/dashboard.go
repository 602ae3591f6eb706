package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// heads are the heads of all Ray clusters, by the host under which KubeRay asks for them. A
// head that is asked is there: KubeRay asks for those alone whose pods are ready.
type heads struct {
	mux *http.ServeMux

	mu sync.Mutex
	// stopped are the jobs that were told to stop, and applications the names of the
	// applications of Serve that each head runs. Guarded by mu.
	stopped      map[string]bool
	applications map[string][]string
}

func newHeads() *heads {
	h := &heads{mux: http.NewServeMux(), stopped: map[string]bool{}, applications: map[string][]string{}}
	h.mux.HandleFunc("GET /api/jobs/{job}", h.job)
	h.mux.HandleFunc("POST /api/jobs/{job}/stop", h.stop)
	h.mux.HandleFunc("GET /api/serve/applications/", h.served)
	h.mux.HandleFunc("PUT /api/serve/applications/", h.serve)
	h.mux.HandleFunc("GET /-/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "success") })
	return h
}

// ServeHTTP answers a request for a URL with a host, as proxies get.
func (h *heads) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	// The proxy of Serve is asked with two slashes, which the mux would send elsewhere.
	request.URL.Path = "/" + strings.TrimLeft(request.URL.Path, "/")
	h.mux.ServeHTTP(w, request)
}

// job says how a job is.
func (h *heads) job(w http.ResponseWriter, request *http.Request) {
	id, status := request.PathValue("job"), "RUNNING"
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped[id] {
		status = "STOPPED"
	}
	reply(w, map[string]any{"submission_id": id, "status": status, "entrypoint": "none"})
}

// stop has a job end.
func (h *heads) stop(w http.ResponseWriter, request *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped[request.PathValue("job")] = true
	reply(w, map[string]any{"stopped": true})
}

// serve deploys applications in the place of those before.
func (h *heads) serve(w http.ResponseWriter, request *http.Request) {
	var config struct {
		Applications []struct{ Name string }
	}
	if err := json.NewDecoder(request.Body).Decode(&config); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var names []string
	for _, application := range config.Applications {
		names = append(names, application.Name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applications[request.Host] = names
}

// served says how the applications are.
func (h *heads) served(w http.ResponseWriter, request *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	applications := map[string]any{}
	for _, name := range h.applications[request.Host] {
		applications[name] = map[string]any{"name": name, "status": "RUNNING", "deployments": map[string]any{}}
	}
	reply(w, map[string]any{"applications": applications})
}

func reply(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(content); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
