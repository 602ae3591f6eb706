package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/test/operators"
)

var withKEDA = flag.Bool("keda", false, "TestPrometheus has KEDA's scaler ask Prometheus too, which it builds if need be")

// monitoringModule has Prometheus in it, as a tool.
const monitoringModule = "../monitoring"

// quietQueries are those of dashboards that ask for what is above zero, and here is not.
var quietQueries = []string{
	`sum by (reason) (rate(berth_full_path_total[$__rate_interval])) > 0`,
}

// TestPrometheus has a real Prometheus scrape a real scheduler, as manifests/monitoring has it
// do: with the ServiceMonitor's path, port and relabelling, and as the service account of its
// ClusterRole, which may get /metrics and nothing else. Somebody without that role gets nothing.
// Every metric that is defined arrives, with all of its labels; each query of the dashboards has
// an answer, each rule is evaluated without a fault, all that rules ask for is there, and of a
// cluster that is well no alert is told. With -keda, KEDA's scaler takes its number too.
func TestPrometheus(t *testing.T) {
	scaler := buildKEDAScaler(t)
	e := stock(t)
	ns := e.namespace(t)
	port := freePort(t)
	e.queue(t, "monitored", `{namespaces: [`+ns+`], resources: [{name: nvidia.com/gpu, guaranteed: 8, limit: 32}]}`)
	e.schedulerOn(t, port, "--leader-elect=true", "--leader-elect-resource-name=berth")
	p := startPrometheus(t, e, port)
	p.expectNumber(t, `up{job="berth"}`, 1)
	p.expectNumber(t, `up{job="stranger"}`, 0)
	// What was never counted is there as zero, so that the first is seen as an increase.
	p.expect(t, `berth_queue_wait_duration_seconds_count{queue="monitored"} == 0`)

	e.create(t, ns, gangOf("placed", 2, 8, ours("placed", 2), inQueue("monitored"))...)
	e.expectBound(t, ns, 2)
	e.create(t, ns, gangOf("nowhere", 2, 8, ours("nowhere", 2), inQueue("monitored"), func(p *corev1.Pod) {
		p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "not-bought-yet"}
	})...)
	e.create(t, ns, gangOf("limited", 5, 8, ours("limited", 5), inQueue("monitored"))...)
	e.create(t, ns, gangOf("incomplete", 1, 8, ours("incomplete", 2), inQueue("monitored"))...)

	p.expectNumber(t, `sum(leader_election_master_status{name="berth"})`, 1)
	p.expectNumber(t, `sum(berth_gpus{state="allocated"})`, 16)
	p.expectNumber(t, `sum(berth_pending_gpus{reason="Unschedulable"})`, 16)
	p.expectNumber(t, `berth_queue_wait_duration_seconds_bucket{queue="monitored", le=~"300(\\.0)?"}`, 1)
	p.expectNumber(t, `berth:queue_wait_objective:seconds{queue="monitored"}`, 3600)
	p.expectNumber(t, `max(berth:queue_late:ratio_rate1h{queue="monitored"})`, 0)
	// KEDA takes one number, and divides it by the devices of a node: 4 nodes.
	trigger := readScaledTrigger(t)
	p.expectNumber(t, trigger.Metadata["query"], 32)
	if scaler != "" {
		p.expectScaled(t, scaler, trigger, `{"active":true,"averageValue":"8","value":"32"}`)
	}
	p.expectServed(t)
	var answered []string
	for _, query := range dashboardQueries(t) {
		if _, err := p.query(t.Context(), query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if !slices.Contains(quietQueries, query) {
			answered = append(answered, query)
		}
	}
	p.expect(t, answered...)
	p.expectHealthyRules(t)
}

// expectServed waits until each metric that make generate found is there, and each of its
// series has each of its labels.
func (p *prometheus) expectServed(t *testing.T) {
	t.Helper()
	var names, bare []string
	for _, file := range []string{"served.json", "upstream.json"} {
		content, err := os.ReadFile(filepath.Join(monitoringModule, "testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		var all []struct {
			Name, Kind string
			Labels     map[string]any
		}
		if err := json.Unmarshal(content, &all); err != nil || len(all) == 0 {
			t.Fatalf("%s: %d metrics, %v", file, len(all), err)
		}
		for _, m := range all {
			if m.Kind == "histogram" {
				m.Name += "_bucket"
			}
			names = append(names, m.Name)
			for label := range m.Labels {
				bare = append(bare, fmt.Sprintf(`%s{%s=""}`, m.Name, label))
			}
		}
	}
	p.expect(t, names...)
	for _, query := range bare {
		if found, err := p.query(t.Context(), query); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v; want no series", query, found, err)
		}
	}
}

// expectHealthyRules waits until all rules are evaluated without a fault, all that they ask for
// is there, and no alert waits or is told.
func (p *prometheus) expectHealthyRules(t *testing.T) {
	t.Helper()
	var answer struct {
		Groups []struct {
			Rules []struct{ Name, Query, Health, LastError, State string }
		}
	}
	eventually(t, "all rules are evaluated, and no alert is told", func(ctx context.Context) error {
		if err := p.get(ctx, "/api/v1/rules", nil, &answer); err != nil {
			return err
		}
		if len(answer.Groups) == 0 {
			return fmt.Errorf("no rules are loaded")
		}
		for _, g := range answer.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" || r.State != "" && r.State != "inactive" {
					return fmt.Errorf("%s is %s and %s: %s", r.Name, r.Health, r.State, r.LastError)
				}
			}
		}
		return nil
	})
	var selectors []string
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			selectors = append(selectors, p.selectors(t, r.Query)...)
		}
	}
	p.expect(t, selectors...)
}

// stranger is a service account that was given no rights.
const stranger = "stranger"

// startPrometheus starts Prometheus on what a scheduler serves on a port. Its job is that of
// the ServiceMonitor; another job asks as the stranger.
func startPrometheus(t *testing.T, e *environment, port int) *prometheus {
	t.Helper()
	objects, err := manifests.Monitoring()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]*unstructured.Unstructured{}
	for _, o := range objects {
		kinds[o.GetKind()] = o
	}
	binding := kinds["ClusterRoleBinding"]
	e.createFor(t, kinds["ClusterRole"], binding)
	subjects, _, _ := unstructured.NestedSlice(binding.Object, "subjects")
	subject := subjects[0].(map[string]any)
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": subject["namespace"]},
	}}
	if err := e.CreateObjects(t.Context(), []*unstructured.Unstructured{namespace}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content any) string { return writeYAML(t, filepath.Join(dir, name), content) }
	monitor := kinds["ServiceMonitor"].Object["spec"].(map[string]any)
	endpoint := monitor["endpoints"].([]any)[0].(map[string]any)
	var jobs []any
	for job, account := range map[string]string{e.jobOf(t, monitor, endpoint): subject["name"].(string), stranger: stranger} {
		token := e.tokenOf(t, subject["namespace"].(string), account)
		jobs = append(jobs, map[string]any{
			"job_name": job, "scheme": endpoint["scheme"], "metrics_path": cmp.Or[any](endpoint["path"], "/metrics"),
			"bearer_token_file": write(account+".token", token),
			"tls_config":        snakeCased(endpoint["tlsConfig"]), "metric_relabel_configs": snakeCased(endpoint["metricRelabelings"]),
			"static_configs": []any{map[string]any{"targets": []string{fmt.Sprintf("127.0.0.1:%d", port)}}},
		})
	}
	config := write("prometheus.yaml", map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{write("rules.yaml", kinds["PrometheusRule"].Object["spec"])},
		"scrape_configs": jobs,
	})
	p := &prometheus{address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	program, err := e.StartProgram("prometheus-"+filepath.Base(dir), prometheusBinary(t),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.address)
	if err != nil {
		t.Fatalf("starting Prometheus: %v", err)
	}
	t.Cleanup(program.Kill)
	eventually(t, "Prometheus is ready", func(ctx context.Context) error {
		select {
		case <-program.Exited():
			t.Fatal(program.Failure())
		default:
		}
		return readURL(ctx, "http://"+p.address+"/-/ready", func(response *http.Response) error {
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("it says %s", response.Status)
			}
			return nil
		})
	})
	return p
}

// dashboardQueries returns the queries of all dashboards.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../manifests/monitoring/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var out []string
	for _, file := range files {
		var d struct {
			Panels []struct{ Targets []struct{ Expr string } }
		}
		content, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(content, &d)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				out = append(out, target.Expr)
			}
		}
	}
	if len(out) == 0 || strings.Join(out, "") == "" {
		t.Fatal("the dashboards ask for nothing")
	}
	return out
}

// A scaledTrigger is that of the example for KEDA.
type scaledTrigger struct {
	MetricType string            `json:"metricType"`
	Metadata   map[string]string `json:"metadata"`
}

func readScaledTrigger(t *testing.T) scaledTrigger {
	t.Helper()
	var scaled struct {
		Spec struct{ Triggers []scaledTrigger }
	}
	content, err := os.ReadFile("../../manifests/monitoring/examples/keda-scaledobject.yaml")
	if err == nil {
		err = yaml.Unmarshal(content, &scaled)
	}
	if err != nil || len(scaled.Spec.Triggers) != 1 {
		t.Fatalf("the example for KEDA: %d triggers, %v", len(scaled.Spec.Triggers), err)
	}
	return scaled.Spec.Triggers[0]
}

// buildKEDAScaler returns the path of the program around KEDA's scaler; "" without -keda.
func buildKEDAScaler(t *testing.T) string {
	t.Helper()
	if !*withKEDA {
		return ""
	}
	release, err := operators.KEDAScaler()
	if err != nil {
		t.Fatal(err)
	}
	built, err := localcluster.EnsureRelease(t.Context(), "", release, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		t.Fatal(err)
	}
	return built.Binary
}

// expectScaled waits until KEDA's own scaler takes a number from this Prometheus, as a trigger
// says. It asks for the last whole second, at which there may have been nothing yet.
func (p *prometheus) expectScaled(t *testing.T, scaler string, trigger scaledTrigger, want string) {
	t.Helper()
	trigger.Metadata["serverAddress"] = "http://" + p.address
	argument, err := json.Marshal(trigger)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "KEDA's scaler takes its number", func(ctx context.Context) error {
		var problems strings.Builder
		run := exec.CommandContext(ctx, scaler, string(argument))
		run.Stderr = &problems
		got, err := run.Output()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, problems.String())
		}
		if strings.TrimSpace(string(got)) != want {
			return fmt.Errorf("it takes %s; want %s", got, want)
		}
		return nil
	})
}
