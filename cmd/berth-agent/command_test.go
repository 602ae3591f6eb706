package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.txt", "        GPU0    GPU1\nGPU0    X       PIX\nGPU1    PIX     X\n")
	bad := write("bad.txt", "no matrix\n")
	kubeconfig := write("kubeconfig", "no kubeconfig\n")
	named := []string{"--node-name", "n1", "--board", good}

	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no name", nil, "--node-name is missing: give the name of the Node that this runs on, or set $NODE_NAME"},
		{"a name that is none", []string{"--node-name", "Node_1"}, `--node-name="Node_1" cannot be the name of a Node`},
		{"a resource that is none", append(named, "--resource", "gpu"), `--resource="gpu" must be an extended resource, such as nvidia.com/gpu`},
		{"a relative socket", append(named, "--podresources-socket", "kubelet.sock"), `--podresources-socket="kubelet.sock" must be an absolute path`},
		{"polls too often", append(named, "--poll-interval", "10ms"), "--poll-interval=10ms is too short: give at least 1s"},
		{"resyncs too often", append(named, "--resync-interval", "1s"), "--resync-interval=1s is too short"},
		{"no port", append(named, "--metrics-address", "localhost"), `--metrics-address="localhost" must be host:port`},
		{"no board", []string{"--node-name", "n1", "--board", filepath.Join(dir, "nowhere.txt")}, "--board: reading the board: open"},
		{"a board that is none", []string{"--node-name", "n1", "--board", bad}, "--board: reading the board"},
		{"a kubeconfig that is none", append(named, "--kubeconfig", kubeconfig), "reading --kubeconfig="},
		{"no API server", named, "give --kubeconfig, or run in a pod"},
		{"an argument", append(named, "gpu-17"), `unknown command "gpu-17"`},
		{"a flag there is not", []string{"--node", "n1"}, "unknown flag: --node"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(nodeNameVariable, "")
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			cmd := newCommand()
			cmd.SetArgs(test.args)
			cmd.SetErr(&bytes.Buffer{})
			err := cmd.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestNodeNameFromEnvironment(t *testing.T) {
	t.Setenv(nodeNameVariable, "gpu-17")
	if got := newCommand().Flags().Lookup("node-name").Value.String(); got != "gpu-17" {
		t.Errorf("--node-name is %q, want that of $%s", got, nodeNameVariable)
	}
}

// The help shows how to begin.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	cmd := newCommand()
	cmd.SetArgs([]string{"--help"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NodeTopology", "--board board.txt", "kubectl delete nodetopology", "manifests/agent"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not say %q:\n%s", want, out.String())
		}
	}
}
