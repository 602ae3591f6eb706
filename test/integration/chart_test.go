package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/localcluster"
)

var updateChart = flag.Bool("chart-update", false, "write testdata/chart/*.golden.yaml anew")

// chartFolder is the chart, and chartCases has values and what they make of it.
const (
	chartFolder = "../../manifests/chart"
	chartCases  = "testdata/chart"
)

// helmProgram runs Helm as it is released.
type helmProgram struct{ binary, kubeconfig string }

// newHelm builds Helm, once. The test is skipped where its module cannot be had.
func newHelm(t *testing.T, kubeconfig string) helmProgram {
	t.Helper()
	release := localcluster.Release{Name: "helm", Module: "helm.sh/helm/v3", Version: "v3.22.0", Package: "./cmd/helm"}
	built, err := localcluster.EnsureRelease(t.Context(), "", release, func(line string) { t.Log(line) })
	if errors.Is(err, localcluster.ErrNotDownloaded) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return helmProgram{built.Binary, kubeconfig}
}

// run runs a command of it, and returns what it writes.
func (h helmProgram) run(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), h.binary, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+h.kubeconfig, "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm %s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

func (h helmProgram) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := h.run(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// objectName is what an object is called in a set of them.
func objectName(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName())
}

// rendered returns the objects that the chart makes of values, by name.
func (h helmProgram) rendered(t *testing.T, args ...string) map[string]*unstructured.Unstructured {
	t.Helper()
	text := h.must(t, slices.Concat([]string{"template", "berth", chartFolder, "--namespace=berth-system", "--kube-version=1.37.0", "--api-versions=berth.dev/v1alpha1/Queue"}, args)...)
	out := map[string]*unstructured.Unstructured{}
	for decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("reading what the chart makes: %v", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		if out[objectName(object)] != nil {
			t.Errorf("the chart makes %s twice", objectName(object))
		}
		out[objectName(object)] = object
	}
}

// plain returns what the manifests have, by name, as the chart would have it if it changed
// nothing: the namespace is made by who installs it, and a hash of the configuration rolls the
// Deployment, not another name.
func plain(t *testing.T, parts ...func() ([]*unstructured.Unstructured, error)) map[string]*unstructured.Unstructured {
	t.Helper()
	out := map[string]*unstructured.Unstructured{}
	for _, part := range parts {
		objects, err := part()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o.GetKind() == "ConfigMap" && strings.HasPrefix(o.GetName(), "berth-config-") {
				o.SetName("berth-config")
			}
			if o.GetKind() != "Namespace" || o.GetName() != "berth-system" {
				out[objectName(o)] = o
			}
		}
	}
	return out
}

// Without values, the chart makes what the manifests are, but for what says the release.
func TestChartIsTheManifests(t *testing.T) {
	t.Parallel()
	helm := newHelm(t, "")
	helm.must(t, "lint", "--strict", chartFolder)
	want := plain(t, manifests.Base)
	got := helm.rendered(t)
	deployment := want["Deployment berth-system/berth"]
	edit := func(value any, path ...string) {
		t.Helper()
		if err := unstructured.SetNestedField(deployment.Object, value, path...); err != nil {
			t.Fatal(err)
		}
	}
	template, _, _ := unstructured.NestedStringMap(got["Deployment berth-system/berth"].Object, "spec", "template", "metadata", "annotations")
	if len(template["checksum/config"]) != 64 {
		t.Errorf("the configuration's hash is %q", template["checksum/config"])
	}
	edit(template["checksum/config"], "spec", "template", "metadata", "annotations", "checksum/config")
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["imagePullPolicy"] = "IfNotPresent"
	edit(containers, "spec", "template", "spec", "containers")
	volumes, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "volumes")
	volumes[0].(map[string]any)["configMap"] = map[string]any{"name": "berth-config"}
	edit(volumes, "spec", "template", "spec", "volumes")
	for name, o := range want {
		if o.GetKind() == "CustomResourceDefinition" {
			annotations := o.GetAnnotations()
			annotations["helm.sh/resource-policy"] = "keep"
			o.SetAnnotations(annotations)
		}
		if diff := cmp.Diff(o.Object, contentOf(got[name]), foldedAlike); diff != "" {
			t.Errorf("%s (-manifests +chart):\n%s", name, diff)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("the chart makes %s, which is not in the manifests", name)
		}
	}
}

// foldedAlike compares texts but for how they are folded: kustomize adds an empty line to a folded
// text before a line that is indented. See findings/kustomize-folded-text.sh.
var foldedAlike = cmp.Transformer("fold", func(s string) string { return strings.Join(strings.Fields(s), " ") })

func contentOf(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return o.Object
}

// What values change of the manifests is as in testdata/chart: NAME.values.yaml makes
// NAME.golden.yaml, which has the objects that are not as in the manifests. -chart-update writes
// them anew.
func TestChartValues(t *testing.T) {
	t.Parallel()
	helm := newHelm(t, "")
	files, err := filepath.Glob(filepath.Join(chartCases, "*.values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no values in %s: %v", chartCases, err)
	}
	same := plain(t, manifests.Base, manifests.Agent, manifests.Owners, manifests.Suspend, manifests.Monitoring)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".values.yaml")
		t.Run(name, func(t *testing.T) {
			got := helm.rendered(t, "--values="+file)
			var text bytes.Buffer
			for _, object := range slices.Sorted(keysOf(got)) {
				if plain := same[object]; plain != nil && cmp.Equal(plain.Object, got[object].Object, foldedAlike) {
					fmt.Fprintf(&text, "# %s: as in the manifests\n", object)
					continue
				}
				content, err := yaml.Marshal(got[object].Object)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&text, "---\n# %s\n%s", object, content)
			}
			golden := filepath.Join(chartCases, name+".golden.yaml")
			if *updateChart {
				if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text.String()); diff != "" {
				t.Errorf("%s (-want +got), if it is meant, write it anew with -chart-update:\n%s", golden, diff)
			}
		})
	}
}

func keysOf(objects map[string]*unstructured.Unstructured) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range objects {
			if !yield(name) {
				return
			}
		}
	}
}

// Values that mean nothing are refused, with the name of the field.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	helm := newHelm(t, "")
	for _, c := range []struct{ set, want string }{
		{"replica=3", "replica"},
		{"replicas=0", "replicas"},
		{"image.pullPolicy=Sometimes", "pullPolicy"},
		{"agent.enable=true", "enable"},
		{"args={web-page}", "args"},
		{"queues.Research.order=FIFO", "queues"},
	} {
		if _, err := helm.run(t, "template", "berth", chartFolder, "--set", c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--set %s: %v, want it refused for %s", c.set, err, c.want)
		}
	}
}

// The chart is installed in a namespace of any name, where Berth then places a gang with the
// account and the configuration that it was given; it is upgraded, rolled back, and uninstalled
// with nothing left. Its queues come with the first upgrade, which is after the one that makes their
// kind.
func TestChartLives(t *testing.T) {
	t.Parallel()
	e := bareEnvironment(t)
	helm := newHelm(t, e.Kubeconfig())
	const namespace = "gpu-system"
	install := []string{"berth", chartFolder, "--namespace=" + namespace, "--set=crds.keep=false,owners.suspend=true,agent.enabled=true,queues.research.order=FIFO"}
	helm.must(t, slices.Concat([]string{"install", "--create-namespace"}, install)...)
	replicas := func(want int32) {
		t.Helper()
		d, err := e.client.AppsV1().Deployments(namespace).Get(t.Context(), "berth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *d.Spec.Replicas != want {
			t.Errorf("there are to be %d replicas, want %d", *d.Spec.Replicas, want)
		}
	}
	replicas(2)
	queues := func(want ...string) {
		t.Helper()
		var got []string
		list, err := e.dynamic.Resource(v1alpha1.QueuesResource).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			order, _, _ := unstructured.NestedString(list.Items[i].Object, "spec", "order")
			got = append(got, list.Items[i].GetName()+" "+order)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("queues (-want +got):\n%s", diff)
		}
	}
	queues()
	t.Run("it schedules", func(t *testing.T) { e.scheduleAsInstalled(t, namespace) })

	helm.must(t, slices.Concat([]string{"upgrade"}, install, []string{"--set=replicas=3,webPage=true"})...)
	replicas(3)
	queues("research FIFO")
	helm.must(t, "rollback", "berth", "1", "--namespace="+namespace)
	replicas(2)
	queues()
	helm.must(t, "uninstall", "berth", "--namespace="+namespace, "--wait")
	eventually(t, "nothing is left", func(ctx context.Context) error {
		left, err := e.ofBerth(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("there are %s", strings.Join(left, ", "))
		}
		return err
	})
}

// bareEnvironment is a cluster of its own with a few nodes, to which nothing of Berth was applied.
func bareEnvironment(t *testing.T) *environment {
	t.Helper()
	cluster, err := localcluster.Start(t.Context(), localcluster.Options{Controllers: localcluster.Controllers(), Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	if err := cluster.AddNodes(t.Context(), localcluster.Nodes{Count: 4, RackSize: rackSize, BlockSize: 4}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.StartKubelets(context.Background()); err != nil {
		t.Fatal(err)
	}
	return &environment{Cluster: cluster, client: cluster.Client(), dynamic: dynamic.NewForConfigOrDie(cluster.AdminConfig())}
}

// scheduleAsInstalled has Berth run with the account and the configuration of an installation,
// and place a gang.
func (e *environment) scheduleAsInstalled(t *testing.T, namespace string) {
	t.Helper()
	config, err := e.client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "berth-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(config.Data["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if e.kubeconfig, err = e.ServiceAccountKubeconfig(t.Context(), namespace, "berth"); err != nil {
		t.Fatal(err)
	}
	e.scheduler(t, "--config="+path)
	work := e.namespace(t)
	e.create(t, work, gangOf("g", 4, 1)...)
	e.expectBound(t, work, 4)
}

// ofBerth returns all objects of the cluster that have Berth's label, or the agent's.
func (e *environment) ofBerth(ctx context.Context) ([]string, error) {
	lists, err := discovery.ServerPreferredResources(e.client.Discovery())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			found, err := e.dynamic.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name in (berth, berth-agent)"})
			if err != nil {
				return nil, fmt.Errorf("listing %s: %w", resource.Name, err)
			}
			for i := range found.Items {
				out = append(out, objectName(&found.Items[i]))
			}
		}
	}
	return out, nil
}
