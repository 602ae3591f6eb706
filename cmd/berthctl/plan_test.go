package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"
)

// pod is the text of a pod that stands for a gang of a size, with further annotations.
func pod(size int, annotations ...string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: train\n  labels: {berth.dev/gang: train}\n  annotations:\n    berth.dev/gang-size: %q\n", fmt.Sprint(size))
	for _, a := range annotations {
		key, value, _ := strings.Cut(a, "=")
		fmt.Fprintf(&out, "    berth.dev/%s: %q\n", key, value)
	}
	out.WriteString("spec:\n  schedulerName: berth\n  containers:\n  - name: worker\n    image: train\n    resources:\n      limits: {nvidia.com/gpu: 8, cpu: \"64\", memory: 512Gi}\n")
	return out.String()
}

// synthetic writes a snapshot by the command, and returns its name.
func synthetic(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.json")
	if status, _, log := berthctl(t, noCluster, "", append([]string{"snapshot", "--synthetic", "-o", file}, args...)...); status != statusAnswer {
		t.Fatal(log)
	}
	return file
}

// TestPlans shows plans of 64 nodes, as text and as JSON.
func TestPlans(t *testing.T) {
	file := synthetic(t, "--nodes", "64", "--racks", "4", "--fill", "50", "--seed", "1")
	four := strings.Replace(pod(6, "required-topology=rack", "gpu-link=nvlink"), "gpu: 8", "gpu: 4", 1)
	var text strings.Builder
	for _, test := range []struct{ name, gang string }{
		{"a rack that is preferred, within a block", pod(4, "required-topology=block", "preferred-topology=rack")},
		{"no rack holds it, the block does", pod(12, "required-topology=block", "preferred-topology=rack")},
		{"segments of ranks in racks", pod(12, "required-topology=block", "segment-size=4", "segment-topology=rack")},
		{"links", four},
		{"no topology", pod(2)},
		{"no place", pod(40, "required-topology=block", "preferred-topology=rack")},
		{"short of memory", strings.Replace(pod(2, "required-topology=rack"), "512Gi", "5Ti", 1)},
		{"segments that fit nowhere", pod(32, "segment-size=16", "segment-topology=rack")},
		{"a gang that is malformed", pod(2, "segment-size=4")},
		{"links in no known word", pod(2, "gpu-link=nvlnk")},
	} {
		for _, output := range []string{"text", "json"} {
			status, out, log := berthctl(t, noCluster, test.gang, "plan", "-f", file, "-f", "-", "-o", output)
			fmt.Fprintf(&text, "# %s\n%s%sstatus %d\n\n", test.name, out, log, status)
			if _, again, _ := berthctl(t, noCluster, test.gang, "plan", "-f", file, "-f", "-", "-o", output); again != out {
				t.Errorf("%s: the same input gives\n%s\nand\n%s", test.name, out, again)
			}
		}
	}
	golden(t, filepath.Join("testdata", "plan.golden"), text.String())
}

// TestLargePlan plans on 2,500 nodes, of which the golden file has a hash and the first
// lines.
func TestLargePlan(t *testing.T) {
	file := synthetic(t, "--nodes", "2500", "--racks", "80", "--fill", "80", "--seed", "1")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "cluster.json: %x\n\n", sha256.Sum256(content))
	for _, size := range []int{8, 64, 256} {
		status, out, log := berthctl(t, noCluster, pod(size, "preferred-topology=block"), "plan", "-f", file, "-f", "-")
		lines := strings.SplitAfter(out, "\n")
		fmt.Fprintf(&text, "# a gang of %d, status %d, %x\n%s%s\n", size, status, sha256.Sum256([]byte(out)), strings.Join(lines[:min(len(lines), 6)], ""), log)
	}
	golden(t, filepath.Join("testdata", "plan-2500.golden"), text.String())
}

// Every way to give a gang of four gives the same plan.
func TestGangFiles(t *testing.T) {
	file := synthetic(t, "--nodes", "16", "--fill", "0")
	single := pod(4, "required-topology=rack")
	var each []string
	for _, rank := range []int{2, 0, 3, 1} {
		one := strings.Replace(single, "name: train\n", fmt.Sprintf("name: train-%d\n", rank), 1)
		each = append(each, one)
	}
	list := map[string]any{"apiVersion": "v1", "kind": "List"}
	var items []any
	for _, one := range each {
		var item map[string]any
		if err := yaml.Unmarshal([]byte(one), &item); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	list["items"] = items
	listText, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := berthctl(t, noCluster, single, "plan", "-f", file, "-f", "-", "-o", "json")
	if !strings.Contains(want, `"pod":"train-3","rank":3,`) {
		t.Fatalf("no plan: %s", want)
	}
	unlabelled := strings.Replace(single, "  labels: {berth.dev/gang: train}\n", "", 1)
	_, spec, _ := strings.Cut(unlabelled, "\nspec:\n")
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: train}\nspec:\n  template:\n    metadata:\n      annotations: {berth.dev/gang-size: \"4\", berth.dev/required-topology: rack}\n    spec:\n      " +
		strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n    ")
	for name, text := range map[string]string{
		"documents":      "# all of them\n---\n" + strings.Join(each, "---\n"),
		"list":           string(listText),
		"without a name": unlabelled,
		"job":            job,
	} {
		status, got, log := berthctl(t, noCluster, text, "plan", "-f", file, "-f", "-", "-o", "json")
		if diff := cmp.Diff(want, got); status != statusAnswer || diff != "" {
			t.Errorf("%s: status %d, %s, -want +got:\n%s", name, status, log, diff)
		}
	}

	// One of two runs, and keeps the other in its rack.
	file = synthetic(t, "--nodes", "32", "--racks", "2", "--fill", "0")
	two := strings.ReplaceAll(strings.Join([]string{each[1], each[3]}, "---\n"), `gang-size: "4"`, `gang-size: "2"`)
	running := strings.Replace(two, "spec:\n", "spec:\n  nodeName: node-00020\n", 1)
	if status, got, log := berthctl(t, noCluster, running, "plan", "-f", file, "-f", "-", "-o", "json"); status != statusAnswer || !strings.Contains(got, `"domain":"block-001/rack-0002","assignments":[{"pod":"train-1"`) {
		t.Errorf("beside one that runs: status %d, %s%s", status, got, log)
	}
}

// A pod without a rank that came again is of the segment of the one that went: the others of
// it run, and say no rank either.
func TestSegmentOfOneThatCameAgain(t *testing.T) {
	file := synthetic(t, "--nodes", "32", "--racks", "2", "--fill", "0")
	member := func(name, spec, status string) string {
		one := strings.Replace(pod(4, "segment-size=2", "segment-topology=rack"), "name: train\n", "name: "+name+"\n", 1)
		return strings.Replace(one, "spec:\n", spec, 1) + status
	}
	on := func(node string) string { return "spec:\n  nodeName: " + node + "\n" }
	const first, second = "node-00003", "node-00020" // of two racks
	for _, test := range []struct {
		name, comes string
		running     []string
		want        string
	}{
		{"beside the first", "train-1", []string{member("train-3", on(second), ""), member("train-0", on(first), ""), member("train-2", on(second), "")}, `"rank":1,"node":"node-00001"`},
		{"beside the last", "train-2", []string{member("train-3", on(second), ""), member("train-0", on(first), ""), member("train-1", on(first), "")}, `"rank":2,"node":"node-00017"`},
		{"one that has ended is not there", "train-3", []string{member("train-0", on(first), ""), member("train-1", on(first), ""), member("train-2", on(second), "status: {phase: Failed}\n")}, `"rank":2,"node":"node-00001"`},
	} {
		text := strings.Join(append(test.running, member(test.comes, "spec:\n", "")), "---\n")
		status, got, log := berthctl(t, noCluster, text, "plan", "-f", file, "-f", "-", "-o", "json")
		if status != statusAnswer || !strings.Contains(got, test.want) {
			t.Errorf("%s: status %d, %s%s, want %s", test.name, status, log, got, test.want)
		}
	}
}

func TestTaintsAndRemarks(t *testing.T) {
	file := synthetic(t, "--nodes", "2", "--racks", "1", "--fill", "0")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content = bytes.Replace(content, []byte(`"free":[0,1,2,3,4,5,6,7]}`), []byte(`"free":[0,1,2,3,4,5,6,7],"taints":[{"key":"dedicated","value":"ml","effect":"NoSchedule"}]}`), 1)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, log := berthctl(t, noCluster, pod(2, "required-topology=rack"), "plan", "-f", file, "-f", "-"); status != statusNone || !strings.Contains(out, "short of nodes that the pods may use") {
		t.Errorf("without a toleration: status %d, %s%s", status, out, log)
	}
	tolerant := strings.Replace(pod(2), "spec:\n", "spec:\n  tolerations: [{key: dedicated, operator: Exists}]\n  nodeSelector: {a: b}\n", 1)
	if status, out, log := berthctl(t, noCluster, tolerant, "plan", "-f", file, "-f", "-"); status != statusAnswer || !strings.Contains(out, `remark  pod "train-0" has spec.nodeSelector, which is not in a snapshot and was not looked at`) {
		t.Errorf("with a toleration: status %d, %s%s", status, out, log)
	}
}

func TestPlanErrors(t *testing.T) {
	file := synthetic(t, "--nodes", "16", "--fill", "0")
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"version":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := func(name string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: []}\n", name)
	}
	for name, test := range map[string]struct {
		args []string
		gang string
		want string
	}{
		"no files":         {nil, "", "there is no gang; give -f with the pods of one"},
		"no gang":          {[]string{"-f", file}, "", "there is no gang"},
		"no such file":     {[]string{"-f", "nowhere.json"}, "", "open nowhere.json: no such file"},
		"two snapshots":    {[]string{"-f", file, "-f", file}, "", "there is a snapshot already"},
		"a bad snapshot":   {[]string{"-f", bad, "-f", "-"}, pod(2), bad + ": reading a snapshot: version is 9; this program reads version 1"},
		"output":           {[]string{"-f", file, "-f", "-", "-o", "yaml"}, pod(2), `--output must be text or json, got "yaml"`},
		"policy":           {[]string{"-f", file, "-f", "-", "--policy", "heap"}, pod(2), `--policy must be pack or spread, got "heap"`},
		"picker":           {[]string{"-f", file, "-f", "-", "--picker", "me"}, pod(2), `--picker must be device-plugin or scheduler, got "me"`},
		"no cluster":       {[]string{"-f", "-"}, pod(2), "no cluster to take a snapshot of: no kubeconfig; give --kubeconfig, or -f"},
		"nothing in it":    {[]string{"-f", file, "-f", "-"}, "# none\n", "reading the gang: there is no pod in it"},
		"no YAML":          {[]string{"-f", file, "-f", "-"}, "a: [", "reading the gang: document 1: it is no object in YAML or JSON"},
		"another kind":     {[]string{"-f", file, "-f", "-"}, "kind: RayJob\n", "document 1: its kind is RayJob; give a Pod, a Job or a List of pods"},
		"unknown field":    {[]string{"-f", file, "-f", "-"}, "kind: Pod\nspec: {nodeNmae: n}\n", `document 1: reading a Pod: error unmarshaling JSON`},
		"no name":          {[]string{"-f", file, "-f", "-"}, "kind: Pod\n", "a pod has no metadata.name; give it one"},
		"plain pods":       {[]string{"-f", file, "-f", "-"}, plain("a") + "---\n" + plain("b"), `pod "a" is in no gang, and there are 2 pods; give all of them the label berth.dev/gang`},
		"one pod twice":    {[]string{"-f", file, "-f", "-"}, pod(2) + "---\n" + pod(2), `pod "train" is there twice`},
		"two gangs":        {[]string{"-f", file, "-f", "-"}, pod(2) + "---\n" + strings.ReplaceAll(pod(2), "train", "serve"), `pod "train" is of gang default/train (berth), and pod "serve" of gang default/serve (berth); plan one gang at a time`},
		"too large":        {[]string{"-f", file, "-f", "-"}, pod(70000), `pod "train": its gang has a size of 70000; one pod may stand for at most 65536`},
		"no such level":    {[]string{"-f", file, "-f", "-"}, pod(2, "required-topology=example.com/row"), "gang default/train asks for the level example.com/row, which the snapshot does not have in fabric; make it anew with berthctl snapshot --level example.com/row"},
		"runs nowhere":     {[]string{"-f", file, "-f", "-"}, strings.Replace(pod(2), "spec:\n", "spec:\n  nodeName: moon\n", 1) + "---\n" + strings.Replace(pod(2), "name: train\n", "name: train-1\n", 1), `pod "train": spec.nodeName is "moon", and the snapshot has no such node`},
		"nobody waits":     {[]string{"-f", file, "-f", "-"}, strings.Replace(pod(1), "spec:\n", "spec:\n  nodeName: node-00001\n", 1), "every pod has a spec.nodeName already"},
		"odd flag":         {[]string{"--nodes", "4"}, "", "unknown flag: --nodes"},
		"an odd argument":  {[]string{"gang.yaml"}, "", `unknown command "gang.yaml" for "berthctl plan"`},
		"a directory":      {[]string{"-f", t.TempDir()}, "", "is a directory"},
		"an empty gang":    {[]string{"-f", file, "-f", "-"}, "", "there is no pod in it"},
		"a size that is 0": {[]string{"-f", file, "-f", "-"}, pod(0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := berthctl(t, noCluster, test.gang, append([]string{"plan"}, test.args...)...)
			if test.want == "" {
				if status != statusNone || !strings.Contains(out, "GangSizeInvalid") {
					t.Errorf("status %d, output %q, log %q", status, out, log)
				}
				return
			}
			if status != statusFailed || !strings.Contains(log, test.want) {
				t.Errorf("status %d, output %q, log %q; want what says %q", status, out, log, test.want)
			}
		})
	}
}

func TestSnapshotErrors(t *testing.T) {
	for args, want := range map[string]string{
		"":                               "no cluster to take a snapshot of: no kubeconfig",
		"--nodes 4":                      "--nodes is for a cluster that is made up; give --synthetic as well",
		"--synthetic --nodes 0":          "a synthetic cluster of 0 nodes: it must have from 1 to",
		"--synthetic --racks 65":         "a synthetic cluster of 65 racks",
		"--synthetic --fill 101":         "filled to 101 percent: it must be from 0 to 100",
		"--synthetic --level a/b":        "--level is for a live cluster",
		"--synthetic -o nowhere/at/all":  "open nowhere/at/all: no such file",
		"--synthetic --policy scattered": "--policy must be pack or spread",
	} {
		status, _, log := berthctl(t, noCluster, "", append([]string{"snapshot"}, strings.Fields(args)...)...)
		if status != statusFailed || !strings.Contains(log, want) {
			t.Errorf("%q: status %d, log %q; want what says %q", args, status, log, want)
		}
	}
}

// liveCluster is a cluster with the objects of a file under testdata.
func liveCluster(t *testing.T, file string) (dialer, *fake.FakeDynamicClient) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	kinds := map[schema.GroupVersionResource]string{nodeTopologies: "NodeTopologyList", nodesResource: "NodeList", podsResource: "PodList"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
	return func(connection) (dynamic.Interface, error) { return client, nil }, client
}

// TestLive takes a snapshot of a cluster, and plans by it and without it.
func TestLive(t *testing.T) {
	dial, client := liveCluster(t, "live.yaml")
	file := filepath.Join(t.TempDir(), "now.json")
	level := []string{"--level", "example.com/row"}
	if status, _, log := berthctl(t, dial, "", append([]string{"snapshot", "-o", file, "--picker", "scheduler"}, level...)...); status != statusAnswer {
		t.Fatal(log)
	}
	snapshot, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, action := range client.Actions() {
		listed = append(listed, action.GetVerb()+" "+action.GetResource().Resource)
	}
	if want := []string{"list nodes", "list pods", "list nodetopologies"}; !slices.Equal(listed, want) {
		t.Errorf("asked for %v, want %v", listed, want)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", snapshot)
	for _, gang := range []string{
		strings.Replace(pod(1, "gpu-link=nvlink"), "gpu: 8", "gpu: 2", 1),
		strings.Replace(pod(2, "required-topology=example.com/row"), "gpu: 8, cpu: \"64\", memory: 512Gi", "gpu: 1", 1),
		strings.Replace(pod(3, "required-topology=example.com/row"), "gpu: 8, cpu: \"64\", memory: 512Gi", "gpu: 2", 1),
	} {
		status, direct, log := berthctl(t, dial, gang, "plan", "-f", "-", "--picker", "scheduler", "-o", "json")
		if _, replayed, _ := berthctl(t, noCluster, gang, "plan", "-f", file, "-f", "-", "-o", "json"); replayed != direct {
			t.Errorf("replayed from the snapshot:\n%s, and from the cluster:\n%s", replayed, direct)
		}
		fmt.Fprintf(&text, "%s%sstatus %d\n", direct, log, status)
	}
	golden(t, filepath.Join("testdata", "live.golden"), text.String())
}
