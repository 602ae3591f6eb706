package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drillError runs a drill in a world without clusters, and returns its error.
func drillError(t *testing.T, args ...string) string {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	cmd := newCommand()
	cmd.SetArgs(append([]string{"drill"}, args...))
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetErr(&bytes.Buffer{})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		return err.Error()
	}
	return ""
}

func TestDrillRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no cluster":                {[]string{"cordon", "node-00001"}, "no cluster runs; start one in another terminal, as with: berth-local up --nodes 64, or name the state directory"},
		"no cluster, and no API":    {[]string{"stop-etcd"}, "no cluster runs"},
		"no such directory":         {[]string{"cordon", "node-00001", "--dir", "/nonexistent/x"}, `there is no state directory "/nonexistent/x"`},
		"no such drill":             {[]string{"explode"}, `unknown command "explode"`},
		"no node":                   {[]string{"kill-node"}, "name a node, as in: kill-node node-00001"},
		"dark nothing":              {[]string{"darken"}, "say what goes dark, as in: darken rack rack-0001"},
		"dark what":                 {[]string{"darken", "row", "1"}, `"row" is none of rack, block, zone; to cut off single nodes, see kill-node and flap`},
		"negative duration":         {[]string{"kill-node", "a", "--duration", "-1s"}, "--duration cannot be negative, got -1s"},
		"duration and undo":         {[]string{"darken", "rack", "a", "--duration", "1s", "--undo"}, "--duration says when to undo it, and --undo does it now"},
		"etcd for no time":          {[]string{"stop-etcd", "--duration", "0"}, "--duration must be more than 0, as in 30s"},
		"etcd, duration and undo":   {[]string{"stop-etcd", "--duration", "3s", "--undo"}, "leave one of them out"},
		"drain without time":        {[]string{"drain", "a", "--timeout", "0"}, "--timeout must be more than 0, as in 5m, got 0s"},
		"flap never":                {[]string{"flap", "a", "--times", "0"}, "--times must be at least 1, got 0"},
		"flap down":                 {[]string{"flap", "a", "--down", "-1s"}, "--down cannot be negative, got -1s"},
		"flap up":                   {[]string{"flap", "a", "--up", "-1s"}, "--up cannot be negative, got -1s"},
		"flap without time":         {[]string{"flap", "a", "--timeout", "0"}, "--timeout must be more than 0, as in 10m, got 0s"},
		"no ill GPU":                {[]string{"ill-gpu", "a", "--gpus", "0"}, "--gpus must be at least 1, got 0"},
		"no reason":                 {[]string{"refuse-pod", "a", "--reason", " "}, "--reason cannot be empty; a kubelet says UnexpectedAdmissionError, say"},
		"no label":                  {[]string{"relabel", "a"}, "say which label they get, as in topology.kubernetes.io/rack=rack-0002"},
		"no label key":              {[]string{"relabel", "a", "=b"}, `"=b" has no label key`},
		"labels of no node":         {[]string{"relabel", "a=b"}, "name a node, as in node-00001"},
		"labels that are undone":    {[]string{"relabel", "a", "b=c", "--undo"}, "--undo gives back all labels; leave out b=c"},
		"slow for no time":          {[]string{"slow-api", "--stop", "0"}, "--stop must be more than 0, as in 500ms, got 0s"},
		"slow all the time":         {[]string{"slow-api", "--stop", "2s"}, "--period must be more than --stop, got 1s and 2s; to stop the API for good, see stop-etcd"},
		"all, of another cluster":   {[]string{"all", "--dir", "/x"}, "--dir: drill all starts a cluster of its own; leave it out"},
		"all, but no such drill":    {[]string{"all", "node-los"}, `there is no drill "node-los"; name some of node-loss, rack-loss, rack-restart, zone-loss, drain,`},
		"all, without heartbeats":   {[]string{"all", "--heartbeat", "0"}, "--heartbeat must be at least 1s, got 0s"},
		"all, parts of a second":    {[]string{"all", "--tolerates", "1.5s"}, "--tolerates must be whole seconds, as in 30s, got 1.5s"},
		"all, report is a place":    {[]string{"all", "--report", "."}, "--report . is a directory; name a file in it, as in drills.md"},
		"a drill without arguments": {[]string{"slow-api", "now"}, `unknown command "now"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := drillError(t, test.args...); !strings.Contains(got, test.want) {
				t.Errorf("got error %q, want one that says %q", got, test.want)
			}
		})
	}
}

// Each drill says what it does, shows an example of itself, and can be undone or ends.
func TestDrillHelp(t *testing.T) {
	var names []string
	for _, cmd := range newDrillCommand().Commands() {
		names = append(names, cmd.Name())
		if !strings.Contains(cmd.Example, "berth-local drill "+cmd.Name()) || len(cmd.Long) < 80 {
			t.Errorf("%s does not teach how it is used", cmd.Name())
		}
		if cmd.Flags().Lookup("undo") == nil && cmd.Name() != "flap" && cmd.Name() != "all" {
			t.Errorf("%s cannot be undone", cmd.Name())
		}
	}
	want := []string{"all", "cordon", "darken", "drain", "flap", "ill-gpu", "kill-node", "refuse-pod", "relabel", "slow-api", "stop-etcd"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("drills (-want +got):\n%s", diff)
	}
}

func TestList(t *testing.T) {
	for want, nodes := range map[string][]string{
		"a is dark":                 {"a"},
		"a, b are dark":             {"a", "b"},
		"5 nodes, a to e, are dark": {"a", "b", "c", "d", "e"},
	} {
		if got := list(nodes, "is dark", "are dark"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
