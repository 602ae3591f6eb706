package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/insight"
)

// told is a source that says what a scheduler might.
type told struct{}

var (
	now  = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	ends = now.Add(2*time.Hour + 5*time.Minute)
)

func head() insight.Head { return insight.Head{Version: insight.Version, Time: now} }

func (told) Why(_ context.Context, namespace, name string) (*insight.Why, error) {
	gang := insight.Gang{Namespace: namespace, Name: name, State: insight.Pending, Queue: "team", Pods: insight.Pods{Needed: 4, Total: 4, Waiting: 4}, Created: now.Add(-95 * time.Minute)}
	switch name {
	case "train":
		return &insight.Why{Head: head(), Gang: gang, Constraint: insight.Quota,
			Line: &insight.Line{Queue: "team", Path: []string{"company", "team"}, Position: 3, Waiting: 9, Ahead: []insight.Ahead{{Name: "ns/a"}, {Name: "ns/b"}}},
			Blockers: []insight.Blocker{
				{Reason: "QueueAtLimit", Constraint: insight.Quota, Sentence: `queue "team" uses 64 of nvidia.com/gpu, and with 32 more it would pass its limit of 64`, Unblocks: []insight.Unblock{
					{Kind: insight.QuotaBack, Sentence: `32 of nvidia.com/gpu back from queue "team", as when gang ns/old ends, by its run time at 14:05 UTC`, Gangs: []insight.Ending{{Name: "ns/old", Queue: "team", Pods: 4, Ends: &ends}}, At: &ends},
					{Kind: insight.LimitRaised, Sentence: `the limit of queue "team" is raised from 64 of nvidia.com/gpu to 96 of nvidia.com/gpu`},
				}},
				{Reason: "Unschedulable", Constraint: insight.TopologyLevel, Sentence: "there is room in the cluster, and not in one domain of rack: b/r1 comes closest, with a place for 2 of 4 pods",
					Levels:   []insight.Level{{Level: "rack", Closest: "b/r1", Needed: 4, Fit: 2, Short: insight.Devices, Amount: 16, Sentence: "b/r1 comes closest, with a place for 2 of 4 pods"}},
					Unblocks: []insight.Unblock{{Kind: insight.NodesFree, Sentence: "2 nodes more come free in b/r1: n1, n2", Count: 2, Nodes: []string{"n1", "n2"}}}},
			},
			Remarks: []string{`pod "train-0" has spec.resourceClaims, which was not looked at here: the scheduler heeds it`},
		}, nil
	case "done":
		gang.State, gang.Pods.Bound, gang.Pods.Waiting, gang.Ends = insight.Placed, 4, 0, &ends
		return &insight.Why{Head: head(), Gang: gang, Blockers: []insight.Blocker{}}, nil
	}
	return nil, fmt.Errorf("%w: namespace %q has no gang %q", insight.ErrNotFound, namespace, name)
}

func (told) Gangs(_ context.Context, q insight.GangQuery) (*insight.Gangs, error) {
	switch q.Queue {
	case "idle":
		return &insight.Gangs{Head: head()}, nil
	case "resaerch":
		return nil, fmt.Errorf("%w: there is no queue %q; there are idle, team", insight.ErrNotFound, q.Queue)
	}
	return &insight.Gangs{Head: head(), LeftOut: 3, Gangs: []insight.Gang{
		{Namespace: "ns", Name: "train", State: insight.Pending, Queue: "team", Pods: insight.Pods{Needed: 4, Total: 4}, Created: now.Add(-5 * time.Minute), Reason: "QueueAtLimit", Sentence: `queue "team" uses 64 of nvidia.com/gpu, and with 32 more it would pass its limit of 64`},
		{Namespace: "ns", Name: "one", Pod: true, State: insight.Placed, Pods: insight.Pods{Needed: 1, Bound: 1, Total: 1}, Created: now.Add(-50 * time.Hour)},
	}}, nil
}

func (told) Queues(context.Context) (*insight.Queues, error) {
	limit := int64(64)
	return &insight.Queues{Head: head(), Queues: []insight.Queue{
		{Name: "company", Resources: []insight.QueueResource{{Resource: "nvidia.com/gpu", Used: 64, Asked: 32, Guaranteed: 128, Share: 128}}},
		{Name: "team", Parent: "company", Depth: 1, Pending: 1, Running: 2, Refused: 1, Resources: []insight.QueueResource{{Resource: "cpu", Used: 4000, Guaranteed: 8000}, {Resource: "nvidia.com/gpu", Used: 64, Asked: 32, Guaranteed: 32, Limit: &limit, Share: 64, Borrowed: 32}},
			Next: &insight.QueueNext{Gang: "ns/train", Position: 1, Reason: "QueueAtLimit", Sentence: "it would pass its limit"}},
		{Name: "wrong", Fault: "its parent is not there"},
	}}, nil
}

func (told) Events(_ context.Context, after uint64) (*insight.Events, error) {
	return &insight.Events{Head: head(), Last: 2, Events: []insight.Event{
		{Seq: 1, Time: now, Action: insight.ActionPlaced, Namespace: "ns", Gang: "a", Sentence: "Placed 4 of 4 pods"},
		{Seq: 2, Time: now.Add(time.Second), Action: insight.ActionEvicted, Namespace: "other", Gang: "b", Reason: "Reclaimed", For: "ns/a", Sentence: "4 pods are evicted"},
	}}, nil
}

func (told) Top(_ context.Context, level string, nodes bool) (*insight.Top, error) {
	return &insight.Top{Head: head(), Level: "rack", Levels: []string{"block", "rack"}, Domains: []insight.TopDomain{
		{Name: "b/r0", Nodes: 5, Closed: 1, Device: "nvidia.com/gpu", Devices: 32, Free: 13, Idle: 1, PerNode: []insight.TopNode{
			{Name: "n0", Devices: 8, Free: 8}, {Name: "n1", Devices: 8, Free: 4}, {Name: "n2", Devices: 8, Free: 1}, {Name: "n3", Devices: 8}, {Name: "n4", Devices: 8, Free: 8, Closed: true},
		}},
		{Nodes: 1, PerNode: []insight.TopNode{{Name: "cpu"}}},
	}}, nil
}

// kubeconfigOf writes a kubeconfig of a user with a token.
func kubeconfigOf(t *testing.T, server, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: c, context: {cluster: c, user: u, namespace: ns}}]
`, server, token)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAsking shows what a scheduler says, and what is said if it says nothing.
func TestAsking(t *testing.T) {
	pages := http.NewServeMux()
	insight.Install(pages.HandleFunc, told{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer good":
			pages.ServeHTTP(w, r)
		case "Bearer stranger":
			http.Error(w, "forbidden", http.StatusForbidden)
		default:
			http.Error(w, "unauthorized", http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	server.Config.ErrorLog = nil
	dark := httptest.NewServer(http.NotFoundHandler())
	dark.Close()
	nowhere := "https" + strings.TrimPrefix(dark.URL, "http")
	var text strings.Builder
	for _, test := range []struct {
		token string
		args  string
	}{
		{"good", "why train"}, {"good", "why train -o wide"}, {"good", "why train -o yaml"}, {"good", "why gang/train -o json"}, {"good", "why done"},
		{"good", "gangs"}, {"good", "gangs -o wide"}, {"good", "queues"}, {"good", "queues -o wide"}, {"good", "top"}, {"good", "events"}, {"good", "events -A"},
		{"good", "gangs --queue resaerch"}, {"good", "gangs --queue idle"}, {"good", "gangs --queue idle -A --state Pending"},
		{"good", "gangs --state Waiting"}, {"good", "why"}, {"good", "why train -o xml"}, {"good", "why train --server localhost"}, {"good", "top --every 1ms"},
		{"stranger", "queues"}, {"", "queues"},
	} {
		args := strings.Fields(test.args)
		if !strings.Contains(test.args, "--server") {
			args = append(args, "--server", server.URL)
		}
		args = append(args, "--insecure-skip-tls-verify", "--kubeconfig", kubeconfigOf(t, nowhere, test.token))
		status, out, log := berthctl(t, noCluster, "", args...)
		fmt.Fprintf(&text, "# %s as %q\n%s%sstatus %d\n\n", test.args, test.token, out, strings.ReplaceAll(log, server.URL, "https://SERVER"), status)
	}
	golden(t, filepath.Join("testdata", "asking.golden"), text.String())

	for _, test := range []struct{ args, want string }{
		{"queues --server " + server.URL, "--insecure-skip-tls-verify"},
		{"queues --server " + nowhere + " --insecure-skip-tls-verify", "cannot be reached"},
		{"queues", "Lease"},
	} {
		status, out, log := berthctl(t, noCluster, "", append(strings.Fields(test.args), "--kubeconfig", kubeconfigOf(t, nowhere, "good"))...)
		if status != statusFailed || !strings.Contains(log, test.want) {
			t.Errorf("%s: status %d, %s%s, want %q", test.args, status, out, log, test.want)
		}
	}
}

// Whoever mistypes a command is told so, with what was meant.
func TestMistypedCommand(t *testing.T) {
	status, out, log := berthctl(t, noCluster, "", "tpo")
	if status != statusFailed || !strings.Contains(log, `unknown command "tpo"`) || !strings.Contains(log, "topo") {
		t.Errorf("status %d, %s%s", status, out, log)
	}
}

// Every command that asks a scheduler says how to use it.
func TestHelpHasExamples(t *testing.T) {
	for _, cmd := range newCommand(noCluster).Commands() {
		if cmd.Example == "" && cmd.Name() != "help" && cmd.Name() != "completion" {
			t.Errorf("berthctl %s has no example", cmd.Name())
		}
	}
	if status, out, log := berthctl(t, noCluster, "", "completion", "bash"); status != statusAnswer || !strings.Contains(out, "berthctl") {
		t.Errorf("there is no completion: status %d, %.200s", status, log)
	}
}

// With -w it is asked again and again: a scheduler that is gone for a moment ends nothing, one
// that never answered does.
func TestWatching(t *testing.T) {
	gone := errors.New("gone")
	asked := 0
	watch := func(answers ...error) (string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		var log strings.Builder
		asked = 0
		s := showing{output: outputTable, watch: true, every: time.Millisecond}
		err := s.run(ctx, io.Discard, &log, func() error {
			asked++
			if asked == len(answers) {
				cancel()
			}
			return answers[asked-1]
		})
		return log.String(), err
	}
	if log, err := watch(nil, gone, nil, errNone); err != nil || asked != 4 || strings.Count(log, "gone") != 1 {
		t.Errorf("asked %d times, %v, log %q", asked, err, log)
	}
	if _, err := watch(gone, nil); !errors.Is(err, gone) || asked != 1 {
		t.Errorf("asked %d times of one that never answered: %v", asked, err)
	}
}

// The leader is found by its Lease; whoever cannot find it, or is not let through, is told
// what to do.
func TestFindingTheLeader(t *testing.T) {
	status, lease := http.StatusOK, ""
	forwarded := ""
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/leases/berth") && status == http.StatusOK:
			fmt.Fprintf(w, `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"berth"},"spec":{%s}}`, lease)
		case strings.HasSuffix(r.URL.Path, "/leases/berth"):
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, map[int]string{403: "Forbidden", 404: "NotFound"}[status], status)
		default:
			forwarded = r.URL.Path
			if strings.Contains(r.URL.Path, "/laptop/") {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"pods \"laptop\" not found","code":404}`)
				return
			}
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}`)
		}
	}))
	defer api.Close()
	for _, test := range []struct {
		name, lease string
		status      int
		want        string
	}{
		{"no Lease", "", 404, "is it installed?"},
		{"may not read it", "", 403, "ClusterRole berth-viewer"},
		{"nobody leads", "", 200, "no Berth leads at the moment"},
		{"runs outside of the cluster", `"holderIdentity":"laptop_5f6e"`, 200, "no pod of namespace berth-system"},
		{"may not forward", `"holderIdentity":"berth-7c9-abc_5f6e"`, 200, "create on pods/portforward"},
	} {
		status, lease = test.status, test.lease
		code, out, log := berthctl(t, noCluster, "", "queues", "--kubeconfig", kubeconfigOf(t, api.URL, "good"))
		if code != statusFailed || !strings.Contains(log, test.want) || !strings.Contains(log, "--server") && test.name != "nobody leads" {
			t.Errorf("%s: status %d, %s%s", test.name, code, out, log)
		}
	}
	if want := "/api/v1/namespaces/berth-system/pods/berth-7c9-abc/portforward"; forwarded != want {
		t.Errorf("forwarded by %q, want %q", forwarded, want)
	}
}
