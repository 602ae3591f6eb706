package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
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
	e.scheduler(t, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1",
		"--authentication-kubeconfig="+e.kubeconfig, "--authorization-kubeconfig="+e.kubeconfig)
	client := func(config *rest.Config) *http.Client {
		t.Helper()
		config = rest.CopyConfig(config)
		// The certificate is one that the scheduler made for itself.
		config.TLSClientConfig.Insecure = true
		config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = nil, ""
		c, err := rest.HTTPClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	admin, nobody := client(e.AdminConfig()), client(&rest.Config{})
	get := func(ctx context.Context, c *http.Client, path string) (int, string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			return 0, "", err
		}
		response, err := c.Do(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}
	ns := e.namespace(t)
	e.create(t, ns, gangOf("p", 2, 1, labels("berth.dev/gang", "g"))...)

	for _, want := range []struct {
		name string
		who  *http.Client
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
		{"the configuration in force", admin, "/configz", 200, `"schedulerName":"berth"`},
	} {
		t.Run(want.name, func(t *testing.T) {
			eventually(t, want.path+" answers", func(ctx context.Context) error {
				code, body, err := get(ctx, want.who, want.path)
				if err == nil && (code != want.code || !strings.Contains(body, want.text)) {
					err = fmt.Errorf("status %d, without %q: %.300s", code, want.text, body)
				}
				return err
			})
		})
	}
}
