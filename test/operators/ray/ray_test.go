package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// KubeRay asks through a proxy, with the names of services for hosts.
func TestHeads(t *testing.T) {
	server := httptest.NewServer(newHeads())
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}}
	for _, ask := range []struct{ method, url, body, want string }{
		{"GET", "http://a.ns.svc.cluster.local:8265/api/jobs/one", "", `{"submission_id":"one","status":"RUNNING","entrypoint":"none"}`},
		{"POST", "http://a.ns.svc.cluster.local:8265/api/jobs/one/stop", "", `{"stopped":true}`},
		{"GET", "http://a.ns.svc.cluster.local:8265/api/jobs/one", "", `{"submission_id":"one","status":"STOPPED","entrypoint":"none"}`},
		{"GET", "http://a.ns.svc.cluster.local:8265/api/serve/applications/?api_type=declarative", "", `{"applications":{}}`},
		{"PUT", "http://a.ns.svc.cluster.local:8265/api/serve/applications/", `{"applications":[{"name":"llm"}]}`, ""},
		{"GET", "http://a.ns.svc.cluster.local:8265/api/serve/applications/?api_type=declarative", "", `{"applications":{"llm":{"name":"llm","status":"RUNNING","deployments":{}}}}`},
		{"GET", "http://b.ns.svc.cluster.local:8265/api/serve/applications/?api_type=declarative", "", `{"applications":{}}`},
		{"GET", "http://10.0.0.7:8000//-/healthz", "", `success`},
	} {
		request, err := http.NewRequestWithContext(t.Context(), ask.method, ask.url, strings.NewReader(ask.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := response.Write(&got); err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(got.String(), "\r\n\r\n")
		if response.StatusCode != http.StatusOK || !same(body, ask.want) {
			t.Errorf("%s %s: %s %q; want %q", ask.method, ask.url, response.Status, body, ask.want)
		}
	}
}

// same reports whether two texts are the same JSON, or the same.
func same(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return strings.TrimSpace(a) == b
	}
	return reflect.DeepEqual(x, y)
}

// An autoscaler names the workers that go, and changes nothing until they are gone.
func TestPatch(t *testing.T) {
	group := func(replicas int, toDelete ...string) workerGroup {
		g := workerGroup{Replicas: replicas, MinReplicas: 1, MaxReplicas: 4}
		g.ScaleStrategy.WorkersToDelete = toDelete
		return g
	}
	for _, of := range []struct {
		name     string
		group    workerGroup
		wanted   int
		workers  []string
		replicas int
		toDelete []string
	}{
		{"as wanted", group(2), 2, []string{"a", "b"}, 0, nil},
		{"more", group(2), 3, []string{"a", "b"}, 3, []string{}},
		{"more than may be", group(2), 9, []string{"a", "b"}, 4, []string{}},
		{"fewer", group(3), 2, []string{"a", "b", "c"}, 2, []string{"c"}},
		{"fewer than may be", group(3), 0, []string{"a", "b", "c"}, 1, []string{"b", "c"}},
		{"fewer while some come", group(3), 2, []string{"a"}, 2, []string{}},
		{"some are leaving", group(2, "c"), 1, []string{"a", "b", "c"}, 0, nil},
		{"those are gone", group(2, "c"), 1, []string{"a", "b"}, 1, []string{"b"}},
	} {
		patch := of.group.patch(of.wanted, of.workers)
		if of.replicas == 0 {
			if patch != nil {
				t.Errorf("%s: %v; want no change", of.name, patch)
			}
			continue
		}
		want := []map[string]any{
			{"op": "add", "path": "/spec/workerGroupSpecs/0/replicas", "value": of.replicas},
			{"op": "add", "path": "/spec/workerGroupSpecs/0/scaleStrategy", "value": map[string]any{"workersToDelete": of.toDelete}},
		}
		if !reflect.DeepEqual(patch, want) {
			t.Errorf("%s: %v; want %v", of.name, patch, want)
		}
	}
}
