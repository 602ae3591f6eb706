package integration

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// freePort returns a port on 127.0.0.1 that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// The endpoints of a Kubernetes component, for those who may see them.
func TestServing(t *testing.T) {
	e := stock(t)
	port := freePort(t)
	e.schedulerOn(t, port, "--web-page")
	admin, nobody := e.AdminConfig(), &rest.Config{}
	ns := e.namespace(t)
	e.create(t, ns, gangOf("p", 2, 1, labels("berth.dev/gang", "g"))...)

	for _, want := range []struct {
		name string
		who  *rest.Config
		path string
		code int
		text string
	}{
		{"ready", nobody, "/readyz", 200, "ok"},
		{"alive", nobody, "/livez", 200, "ok"},
		{"healthy", nobody, "/healthz", 200, "ok"},
		{"metrics are not for everybody", nobody, "/metrics", 403, ""},
		{"metrics of Berth", admin, "/metrics", 200, `berth_held_gangs{reason="GangNotDeclared"} 1`},
		{"metrics of the scheduler", admin, "/metrics", 200, "scheduler_pending_pods"},
		{"how pods were placed", admin, "/metrics", 200, `berth_full_path_total{reason="inter_pod_affinity"} 0`},
		{"the page is not for everybody", nobody, "/berth/ui/", 403, ""},
		{"the page", admin, "/berth/ui/", 200, "<!doctype html>"},
		{"what the page shows is not for everybody", nobody, "/berth/ui/stream", 403, ""},
		{"drift is not for everybody", nobody, "/debug/berth/drift", 403, ""},
		{"drift", admin, "/debug/berth/drift", 200, `"differences":`},
		{"a snapshot is not for everybody", nobody, "/debug/berth/snapshot", 403, ""},
		{"a snapshot", admin, "/debug/berth/snapshot?profile=berth", 200, `"fabric":[[`},
		{"a snapshot of no profile", admin, "/debug/berth/snapshot?profile=nobody", 404, "nobody"},
		{"flags", admin, "/flagz", 200, "kubeconfig"},
		{"profiles", admin, "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"the configuration in force", admin, "/configz", 200, `"schedulerName":"berth"`},
	} {
		t.Run(want.name, func(t *testing.T) {
			eventually(t, want.path+" answers", func(ctx context.Context) error {
				code, body, err := get(ctx, want.who, port, want.path)
				if err == nil && (code != want.code || !strings.Contains(body, want.text)) {
					err = fmt.Errorf("status %d, without %q: %.300s", code, want.text, body)
				}
				return err
			})
		})
	}
}
