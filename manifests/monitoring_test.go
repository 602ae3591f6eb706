package manifests_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/manifests"
)

// TestMonitoring checks what kustomize makes of manifests/monitoring: dashboards as Grafana loads
// them, and no right but to get metrics.
func TestMonitoring(t *testing.T) {
	objects, err := manifests.Monitoring()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, o := range objects {
		kinds[o.GetKind()]++
		if o.GetLabels()["app.kubernetes.io/name"] != "berth" {
			t.Errorf("%s %q has no label that says whose it is", o.GetKind(), o.GetName())
		}
		switch o.GetKind() {
		case "ConfigMap":
			checkDashboards(t, decoded(t, o).(*corev1.ConfigMap))
		case "ClusterRole":
			want := []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}
			if diff := cmp.Diff(want, decoded(t, o).(*rbacv1.ClusterRole).Rules); diff != "" {
				t.Errorf("the rights of who scrapes (-want +got):\n%s", diff)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"ClusterRole": 1, "ClusterRoleBinding": 1, "ConfigMap": 1, "PrometheusRule": 1, "ServiceMonitor": 1}, kinds); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// decoded returns an object as its type.
func decoded(t *testing.T, o *unstructured.Unstructured) any {
	t.Helper()
	data, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	object, err := decodeStrictly(types(t), data)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func checkDashboards(t *testing.T, c *corev1.ConfigMap) {
	t.Helper()
	if c.Labels["grafana_dashboard"] != "1" {
		t.Errorf("config map %q has no label by which Grafana finds it", c.Name)
	}
	if got := slices.Sorted(maps.Keys(c.Data)); !slices.Equal(got, []string{"berth-operator.json", "berth-tenant.json"}) {
		t.Errorf("dashboards %v", got)
	}
	for name, content := range c.Data {
		if !json.Valid([]byte(content)) {
			t.Errorf("%s is no JSON", name)
		}
	}
}
