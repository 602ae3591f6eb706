package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	operatorv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// manifest reads a file of manifests/monitoring, strictly.
func manifest(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../manifests/monitoring", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func rules(t *testing.T) operatorv1.PrometheusRule {
	t.Helper()
	var out operatorv1.PrometheusRule
	manifest(t, "prometheusrule.yaml", &out)
	return out
}

// scaled is what is read of a ScaledObject.
type scaled struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   any    `json:"metadata"`
	Spec       struct {
		Triggers []struct {
			Type       string            `json:"type"`
			MetricType string            `json:"metricType"`
			Metadata   map[string]string `json:"metadata"`
		} `json:"triggers"`
		ScaleTargetRef, Advanced, Fallback                                any
		MinReplicaCount, MaxReplicaCount, PollingInterval, CooldownPeriod int
	} `json:"spec"`
}

func scaledObject(t *testing.T) scaled {
	t.Helper()
	var out scaled
	manifest(t, "examples/keda-scaledobject.yaml", &out)
	if len(out.Spec.Triggers) == 0 {
		t.Fatal("the example for KEDA has no trigger")
	}
	return out
}

// TestServiceMonitor checks that what is scraped is kept, and has the job that alerts ask for.
func TestServiceMonitor(t *testing.T) {
	var monitor operatorv1.ServiceMonitor
	manifest(t, "servicemonitor.yaml", &monitor)
	if len(monitor.Spec.Endpoints) != 1 {
		t.Fatalf("%d endpoints, want 1", len(monitor.Spec.Endpoints))
	}
	for _, relabel := range monitor.Spec.Endpoints[0].MetricRelabelConfigs {
		keeps := regexp.MustCompile("^(?:" + relabel.Regex + ")$")
		for name := range served(t) {
			if name != "up" && relabel.Action == "keep" && !keeps.MatchString(name) {
				t.Errorf("%s is served, asked for by a dashboard, and thrown away by the ServiceMonitor", name)
			}
		}
	}
	if monitor.Spec.JobLabel != "app.kubernetes.io/name" || monitor.Spec.Selector.MatchLabels[monitor.Spec.JobLabel] != target["job"][0] {
		t.Errorf("the job is %s of %v; alerts ask for %q", monitor.Spec.JobLabel, monitor.Spec.Selector.MatchLabels, target["job"][0])
	}
}

// TestAlertsHaveRunbooks checks that whoever is woken is told what to do.
func TestAlertsHaveRunbooks(t *testing.T) {
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, g := range rules(t).Spec.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			alerts = append(alerts, r.Alert)
			if want := "/docs/runbook.md#" + strings.ToLower(r.Alert); !strings.HasSuffix(r.Annotations["runbook_url"], want) {
				t.Errorf("%s: its runbook is %q, want %q at the end", r.Alert, r.Annotations["runbook_url"], want)
			}
			if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has no severity, summary or description", r.Alert)
			}
		}
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (Berth\w+)$`).FindAllStringSubmatch(string(runbook), -1) {
		sections = append(sections, m[1])
	}
	slices.Sort(alerts)
	slices.Sort(sections)
	if !slices.Equal(alerts, sections) {
		t.Errorf("the alerts are %v, and the runbook has %v", alerts, sections)
	}
}

// TestPromtool has promtool check the rules, and run the unit tests of testdata/alerts.yaml, of
// which each alert has one that it passes by firing.
func TestPromtool(t *testing.T) {
	dir := t.TempDir()
	all := rules(t)
	plain, err := yaml.Marshal(map[string]any{"groups": all.Spec.Groups})
	if err != nil {
		t.Fatal(err)
	}
	units, err := os.ReadFile("testdata/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"rules.yaml": plain, "alerts.yaml": units} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"}, {"test", "rules", "alerts.yaml"}} {
		command := exec.Command(promtool, args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	var tests struct {
		Tests []struct {
			AlertRuleTests []struct {
				Alertname string `json:"alertname"`
				ExpAlerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(units, &tests); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, a := range test.AlertRuleTests {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alertname] = true
			} else {
				silent[a.Alertname] = true
			}
		}
	}
	for _, g := range all.Spec.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
				t.Errorf("%s has no unit test in which it fires, or none in which it does not", r.Alert)
			}
		}
	}
}

// tool builds a tool of this module into bin/, without the clouds in which Prometheus finds
// targets, and returns its path. Nothing is done if it is there already.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../bin", name))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "build", "-tags=remove_all_sd", "-o", path, "github.com/prometheus/prometheus/cmd/"+name)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return path
}
