package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"
)

// readObject reads the NodeTopology of testdata.
func readObject(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "node.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// clusterWith is a cluster with these objects.
func clusterWith(objects ...runtime.Object) dialer {
	kinds := map[schema.GroupVersionResource]string{nodeTopologies: "NodeTopologyList"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
	return func(connection) (dynamic.Interface, error) { return client, nil }
}

// TestNode shows a node that is busy, and the same with other flags.
func TestNode(t *testing.T) {
	dial := clusterWith(readObject(t))
	t.Chdir("testdata")
	golden(t, "node.golden", transcript(t, dial,
		"gpu-node-17 -k 2",
		"gpu-node-17 -k 2 -o json",
		"gpu-node-17 -k 2 --free 0,1 -o json",
		"gpu-node-17 -k 3 --free 0,1,2,3 --gpu H100 -o json",
		"gpu-node-17 -k 4",
		"gpu-node-17 -k 4 -o json",
		"gpu-node-17 -k 1 --free 6",
		"gpu-node-18 -k 1",
	))
}

func TestRatesOfNode(t *testing.T) {
	for name, test := range map[string]struct {
		product string
		rates   map[string]any
		want    []string
	}{
		"its product":       {"NVIDIA H100 80GB HBM3", nil, []string{"20.6 GB/s an NVLink, 48 PCIe, 22 between sockets", "those of NVIDIA H100"}},
		"unknown product":   {"Voodoo2", nil, []string{"25 GB/s an NVLink", `an unknown machine, as its product is "Voodoo2"`}},
		"all in its spec":   {"Voodoo2", map[string]any{"nvlinkMBps": int64(1000), "pcieMBps": int64(2000), "systemMBps": int64(3000)}, []string{"1 GB/s an NVLink, 2 PCIe, 3 between sockets, those of spec.rates"}},
		"some in its spec":  {"NVIDIA H100 80GB HBM3", map[string]any{"systemMBps": int64(40000)}, []string{"20.6 GB/s an NVLink, 48 PCIe, 40 between sockets", "those of spec.rates, and where these are missing those of NVIDIA H100"}},
		"none in its rates": {"NVIDIA H100 80GB HBM3", map[string]any{}, []string{"20.6 GB/s an NVLink", "those of NVIDIA H100"}},
	} {
		t.Run(name, func(t *testing.T) {
			object := readObject(t)
			devices, _, err := unstructured.NestedSlice(object.Object, "spec", "devices")
			if err != nil {
				t.Fatal(err)
			}
			devices[0].(map[string]any)["product"] = test.product
			if err := unstructured.SetNestedSlice(object.Object, devices, "spec", "devices"); err != nil {
				t.Fatal(err)
			}
			if test.rates != nil {
				if err := unstructured.SetNestedMap(object.Object, test.rates, "spec", "rates"); err != nil {
					t.Fatal(err)
				}
			}
			_, out, log := berthctl(t, clusterWith(object), "", "topo", "gpu-node-17", "-k", "2")
			_, rates, _ := strings.Cut(out, "\nrates ")
			rates = strings.Join(strings.Fields(rates), " ")
			for _, want := range test.want {
				if !strings.Contains(rates, want) {
					t.Errorf("rates %q (log %q), want what says %q", rates, log, want)
				}
			}
		})
	}
}

func TestNodeWithoutDevices(t *testing.T) {
	object := readObject(t)
	if err := unstructured.SetNestedSlice(object.Object, []any{}, "spec", "devices"); err != nil {
		t.Fatal(err)
	}
	status, _, log := berthctl(t, clusterWith(object), "", "topo", "gpu-node-17", "-k", "2")
	want := `NodeTopology "gpu-node-17" has no devices in spec.devices, so there is nothing to choose from; its condition Ready is False, KubeletFailed: the kubelet does not answer`
	if status != statusFailed || !strings.Contains(log, want) {
		t.Errorf("status %d, log %q; want status %d, %q", status, log, statusFailed, want)
	}
}

// A file is meant before a node of the same name.
func TestFileBeforeNode(t *testing.T) {
	object := readObject(t)
	object.SetName("dgx1-v100.txt")
	t.Chdir("testdata")
	if _, out, _ := berthctl(t, clusterWith(object), "", "topo", "dgx1-v100.txt", "-k", "8"); !strings.HasPrefix(out, "dgx1-v100.txt: 8 devices") {
		t.Errorf("not the file: %s", out)
	}
}

// TestConnect asks an HTTP server through a kubeconfig with two contexts: what a fake
// client does not tell apart is a definition that is missing.
func TestConnect(t *testing.T) {
	body, err := readObject(t).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, kind, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if want := "/apis/berth.dev/v1alpha1/nodetopologies/gpu-node-17"; r.URL.Path != want {
				t.Errorf("got a request for %s, want %s", r.URL.Path, want)
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	failure := func(code int, reason, message string) string {
		return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q,"details":{"name":"gpu-node-17","group":"berth.dev","kind":"nodetopologies"}}`, code, reason, message)
	}
	servers := map[string]string{
		"there":      answer(200, "application/json", string(body)),
		"undefined":  answer(404, "text/plain", "404 page not found\n"),
		"missing":    answer(404, "application/json", failure(404, "NotFound", `nodetopologies.berth.dev "gpu-node-17" not found`)),
		"forbidden":  answer(403, "application/json", failure(403, "Forbidden", "nodetopologies.berth.dev is forbidden")),
		"other-type": answer(200, "application/json", `{"apiVersion":"berth.dev/v1alpha1","kind":"NodeTopology","spec":{"devices":"many"}}`),
		"down":       "http://127.0.0.1:1",
	}
	var config strings.Builder
	config.WriteString("apiVersion: v1\nkind: Config\ncurrent-context: there\n")
	for _, section := range []string{"clusters", "contexts"} {
		config.WriteString(section + ":\n")
		for name, url := range servers {
			if section == "clusters" {
				fmt.Fprintf(&config, "- {name: %s, cluster: {server: %q}}\n", name, url)
			} else {
				fmt.Fprintf(&config, "- {name: %s, context: {cluster: %[1]s, user: none}}\n", name)
			}
		}
	}
	config.WriteString("users:\n- {name: none, user: {}}\n")
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(kubeconfig, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		args string
		want string // in the output if there is an answer, else in the log
	}{
		"current context":     {"", `"best":[2,3]`},
		"context":             {"--context there", `"best":[2,3]`},
		"no definition":       {"--context undefined", `"gpu-node-17" is no file, and the cluster has no NodeTopologies at all: apply Berth's manifests, which define nodetopologies.berth.dev, or give a file that exists`},
		"no object":           {"--context missing", `"gpu-node-17" is no file, and there is no NodeTopology of that name: see kubectl get nodetopologies.berth.dev for those there are`},
		"no right":            {"--context forbidden", `reading the NodeTopology of that name is not allowed; you need get on nodetopologies.berth.dev`},
		"no server":           {"--context down", `"gpu-node-17" is no file; reading the NodeTopology of that name: Get "http://127.0.0.1:1/`},
		"another definition":  {"--context other-type", `reading NodeTopology "gpu-node-17" as berth.dev/v1alpha1`},
		"no such context":     {"--context moon", `"gpu-node-17" is no file, and it cannot be read as the NodeTopology of a node without a cluster: context "moon" does not exist`},
		"no such kubeconfig":  {"--kubeconfig nowhere", "nowhere: no such file or directory; give a file that exists, or --kubeconfig"},
		"by the environment":  {"$KUBECONFIG", `"best":[2,3]`},
		"none in environment": {"$NOTHING", "without a cluster: "},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"topo", "gpu-node-17", "-k", "2", "-o", "json", "--kubeconfig", kubeconfig}, strings.Fields(test.args)...)
			switch test.args {
			case "$KUBECONFIG":
				t.Setenv("KUBECONFIG", kubeconfig)
				args = args[:6]
			case "$NOTHING":
				t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
				t.Setenv("KUBERNETES_SERVICE_HOST", "")
				args = args[:6]
			}
			status, out, log := berthctl(t, connect, "", args...)
			if answered := strings.HasPrefix(test.want, `"best"`); answered != (status == statusAnswer) || !strings.Contains(out+log, test.want) {
				t.Errorf("status %d, output %q, log %q; want what says %q", status, out, log, test.want)
			}
		})
	}
}
