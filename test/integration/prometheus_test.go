package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/manifests"
)

// prometheus is one that runs.
type prometheus struct{ address string }

// prometheusBinary builds Prometheus into bin/, without the clouds in which it finds targets.
// Nothing is done if it is there already.
func prometheusBinary(t *testing.T) string {
	t.Helper()
	binary, err := filepath.Abs("../../bin/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags=remove_all_sd", "-o", binary, "github.com/prometheus/prometheus/cmd/prometheus")
	build.Dir = monitoringModule
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Prometheus: %v\n%s", err, out)
	}
	return binary
}

// readURL asks for a page, by a request of anybody's.
func readURL(ctx context.Context, url string, take func(*http.Response) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return take(response)
}

// get asks its API, and reads the data of the answer.
func (p *prometheus) get(ctx context.Context, path string, values url.Values, data any) error {
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	err := readURL(ctx, "http://"+p.address+path+"?"+values.Encode(), func(response *http.Response) error {
		return json.NewDecoder(response.Body).Decode(&answer)
	})
	if err == nil && answer.Status != "success" {
		err = fmt.Errorf("%s: %s", path, answer.Error)
	}
	return err
}

// sample is a series, and what it is now.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

// query asks for a query now, with the variables of dashboards as they are at first.
func (p *prometheus) query(ctx context.Context, query string) ([]sample, error) {
	for variable, value := range map[string]string{"$__rate_interval": "5m", "$queue": ".*", "$resource": ".*"} {
		query = strings.ReplaceAll(query, variable, value)
	}
	var answer struct{ Result []sample }
	err := p.get(ctx, "/api/v1/query", url.Values{"query": {query}}, &answer)
	return answer.Result, err
}

// expect waits until each query has an answer.
func (p *prometheus) expect(t *testing.T, queries ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("answers to %d queries", len(queries)), func(ctx context.Context) error {
		var missing []error
		for _, query := range queries {
			found, err := p.query(ctx, query)
			if err == nil && len(found) == 0 {
				err = errors.New("nothing")
			}
			if err != nil {
				missing = append(missing, fmt.Errorf("%s: %w", query, err))
			}
		}
		return errors.Join(missing...)
	})
}

// expectNumber waits until a query has one answer, which is the number.
func (p *prometheus) expectNumber(t *testing.T, query string, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is %d", query, want), func(ctx context.Context) error {
		found, err := p.query(ctx, query)
		if err == nil && (len(found) != 1 || found[0].Value[1] != fmt.Sprint(want)) {
			err = fmt.Errorf("it is %v", found)
		}
		return err
	})
}

// selectors returns what a query selects, before anything is made of it.
func (p *prometheus) selectors(t *testing.T, query string) []string {
	t.Helper()
	var tree any
	if err := p.get(t.Context(), "/api/v1/parse_query", url.Values{"query": {query}}, &tree); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out []string
	var walk func(node any)
	walk = func(node any) {
		switch n := node.(type) {
		case []any:
			for _, child := range n {
				walk(child)
			}
		case map[string]any:
			if n["type"] == "vectorSelector" || n["type"] == "matrixSelector" {
				var matchers []string
				for _, m := range n["matchers"].([]any) {
					m := m.(map[string]any)
					matchers = append(matchers, fmt.Sprintf("%s%s%q", m["name"], m["type"], m["value"]))
				}
				out = append(out, "{"+strings.Join(matchers, ",")+"}")
			}
			for _, child := range n {
				walk(child)
			}
		}
	}
	walk(tree)
	if len(out) == 0 {
		t.Fatalf("%s selects nothing", query)
	}
	return out
}

// createFor creates objects that are in no namespace for the time of a test.
func (e *environment) createFor(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	if err := e.CreateObjects(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		t.Cleanup(func() {
			if err := e.dynamic.Resource(resource).Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Errorf("deleting %s %q: %v", o.GetKind(), o.GetName(), err)
			}
		})
	}
}

// tokenOf makes a service account and returns a token of it.
func (e *environment) tokenOf(t *testing.T, namespace, name string) string {
	t.Helper()
	accounts := e.client.CoreV1().ServiceAccounts(namespace)
	_, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	request, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// jobOf returns the job that the Prometheus operator gives to what it finds by a ServiceMonitor:
// the value of a label of the Service, which has to have the label and the port.
func (e *environment) jobOf(t *testing.T, monitor, endpoint map[string]any) string {
	t.Helper()
	objects, err := manifests.Base()
	if err != nil {
		t.Fatal(err)
	}
	selector, _, _ := unstructured.NestedStringMap(monitor, "selector", "matchLabels")
	for _, o := range objects {
		if o.GetKind() != "Service" {
			continue
		}
		found := len(selector) > 0
		for key, value := range selector {
			found = found && o.GetLabels()[key] == value
		}
		ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
		for _, port := range ports {
			if found && port.(map[string]any)["name"] == endpoint["port"] {
				return o.GetLabels()[monitor["jobLabel"].(string)]
			}
		}
	}
	t.Fatalf("the ServiceMonitor finds no Service: %v, port %v", selector, endpoint["port"])
	return ""
}

// capital is where a word begins in the keys of Kubernetes.
var capital = regexp.MustCompile(`[A-Z]`)

// snakeCased returns a value with the keys as Prometheus has them, where Kubernetes has another case.
func snakeCased(value any) any {
	switch v := value.(type) {
	case []any:
		out := []any{}
		for _, one := range v {
			out = append(out, snakeCased(one))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, one := range v {
			out[capital.ReplaceAllStringFunc(key, func(c string) string { return "_" + strings.ToLower(c) })] = snakeCased(one)
		}
		return out
	}
	return value
}

// writeYAML writes a file, a string as it is, and returns its path.
func writeYAML(t *testing.T, path string, content any) string {
	t.Helper()
	text, plain := content.(string)
	if !plain {
		encoded, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
