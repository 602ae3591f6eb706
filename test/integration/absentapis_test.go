package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// The scheduler of Kubernetes 1.37 lists what older API servers do not serve. Berth does
// without, says so, and places pods; it does not start where a flag asks for the rest.
func TestAbsentAPIs(t *testing.T) {
	t.Parallel()
	const (
		taintRules = "DRADeviceTaintRules"
		claims     = "DynamicResourceAllocation"
	)
	for _, c := range []struct {
		name string
		// server is what the API server is started with.
		server localcluster.Options
		// withoutGates are the gates that the log says are done without, and asked is the
		// one that a flag turns on all the same.
		withoutGates []string
		asked        string
		// api is what the refusal names.
		api string
		// claims is whether the server has ResourceClaims of another version, so that pods
		// may name them.
		claims bool
	}{
		{
			name:         "no rules that taint devices",
			server:       localcluster.Options{RuntimeConfig: []string{"resource.k8s.io/v1/devicetaintrules=false"}},
			withoutGates: []string{taintRules}, asked: taintRules, api: "devicetaintrules.v1.resource.k8s.io",
		},
		{
			name:         "as 1.34",
			server:       localcluster.Options{EmulatedVersion: "1.34"},
			withoutGates: []string{taintRules}, asked: taintRules, api: "devicetaintrules.v1.resource.k8s.io",
		},
		{
			name:         "no dynamic resource allocation",
			server:       localcluster.Options{RuntimeConfig: []string{"resource.k8s.io/v1=false"}},
			withoutGates: []string{claims, taintRules}, asked: claims, api: "resourceclaims.v1.resource.k8s.io", claims: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := newEnvironment(c.server, 4)
			if err != nil {
				t.Fatalf("starting the control plane: %v", err)
			}
			t.Cleanup(e.Stop)
			ns := e.namespace(t)
			scheduler := e.scheduler(t)
			if c.claims {
				claim := "gpus"
				e.create(t, ns, pod("claims", 0, func(p *corev1.Pod) {
					p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpus", ResourceClaimName: &claim}}
				}))
			}
			e.create(t, ns, pod("single", 1))
			e.create(t, ns, gangOf("g", 2, 4, ours("g", 2))...)
			e.expectBound(t, ns, 3)
			if c.claims {
				e.expectHeld(t, ns, "claims", "HeldByPlugin")
			}
			log := read(t, scheduler.LogPath())
			for _, gate := range []string{taintRules, claims} {
				line := fmt.Sprintf("gate=%q", gate)
				want := 0
				for _, without := range c.withoutGates {
					if without == gate {
						want = 1
					}
				}
				if got := strings.Count(log, line); got != want {
					t.Errorf("the log has %d lines with %s, want %d", got, line, want)
				}
			}

			refused, err := e.StartProgram("refused", schedulerBinary, append([]string{"--kubeconfig=" + e.kubeconfig, "--leader-elect=false",
				"--feature-gates=" + c.asked + "=true"}, e.secureArgs(freePort(t))...)...)
			if err != nil {
				t.Fatalf("starting a scheduler with %s: %v", c.asked, err)
			}
			eventually(t, "the scheduler refuses "+c.asked, func(context.Context) error {
				select {
				case <-refused.Exited():
					return nil
				default:
					return fmt.Errorf("it runs")
				}
			})
			said := read(t, refused.LogPath())
			for _, want := range []string{"--feature-gates", c.asked, c.api} {
				if !strings.Contains(said[strings.LastIndex(said, "Error:")+1:], want) {
					t.Errorf("the refusal does not name %q:\n%s", want, said)
				}
			}
		})
	}
}

// A scheduler that starts while the API server is away, as one does that lost its lease to an
// outage, lives, is not ready, and begins as soon as the server is back.
func TestStartWhileServerIsAway(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	away := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config, err := clientcmd.LoadFromFile(e.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	server := ""
	for _, cluster := range config.Clusters {
		server, cluster.Server = cluster.Server, "https://"+away
	}
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}

	port := freePort(t)
	scheduler := e.schedulerOn(t, port, "--kubeconfig="+kubeconfig)
	expect := func(path string, code int, text string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s says %d", path, code), func(ctx context.Context) error {
			got, body, err := get(ctx, &rest.Config{}, port, path)
			if err == nil && (got != code || !strings.Contains(body, text)) {
				err = fmt.Errorf("it says %d %q", got, body)
			}
			return err
		})
	}
	expect("/livez", 200, "ok")
	expect("/healthz", 200, "ok")
	expect("/readyz", 500, "api-discovery failed")
	eventually(t, "the log says what is waited for", func(context.Context) error {
		if log := read(t, scheduler.LogPath()); !strings.Contains(log, "which APIs") {
			return fmt.Errorf("it does not")
		}
		return nil
	})

	forward(t, away, server)
	expect("/readyz", 200, "ok")
	e.create(t, ns, pod("single", 1))
	e.expectBound(t, ns, 1)
}

// forward passes what comes to an address on to a server, until the test ends.
func forward(t *testing.T, address, server string) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("listening on %s: %v", address, err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target.Host)
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
}

// read returns what a file has.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
