package dialect

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/core/gang"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// TestGolden reads every manifest under testdata and compares what the package
// makes of it with the text next to it.
func TestGolden(t *testing.T) {
	manifests, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no manifests under testdata: %v", err)
	}
	for _, manifest := range manifests {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(manifest, "testdata/"), ".yaml"), func(t *testing.T) {
			var got strings.Builder
			for i, object := range readManifest(t, manifest) {
				if i > 0 {
					got.WriteString("\n")
				}
				got.WriteString(describe(t, object))
			}
			expected := strings.TrimSuffix(manifest, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(expected, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s differs (-want +got); run with -update to accept:\n%s", expected, diff)
			}
		})
	}
}

func readManifest(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := parseManifest(path)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func parseManifest(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for i, doc := range bytes.Split(text, []byte("\n---\n")) {
		body, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, fmt.Errorf("reading document %d of %q: %w", i, path, err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(body); err != nil {
			return nil, fmt.Errorf("reading document %d of %q: %w", i, path, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// describe says what the package makes of one object.
func describe(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s/%s\n", object.GetKind(), object.GetNamespace(), object.GetName())
	if object.GetKind() == "Pod" {
		pod := &corev1.Pod{}
		body, err := object.MarshalJSON()
		if err == nil {
			err = yaml.UnmarshalStrict(body, pod)
		}
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := Of(pod); ok {
			describeMembership(&out, m)
		} else {
			fmt.Fprintf(&out, "  plain, queue %q\n", Queue(pod.Labels, pod.Annotations))
		}
		describeDeclared(&out, DeclaredBy(pod))
		return out.String()
	}
	kind := kindOf(t, object)
	declared := kind.Declare(object)
	if len(declared) == 0 {
		out.WriteString("  declares nothing\n")
	}
	describeDeclared(&out, declared)
	for _, o := range []struct {
		name    string
		outcome Outcome
	}{
		{"held", Outcome{Code: gang.Incomplete, Text: "gang has 1 of 4 pods"}},
		{"cut", Outcome{Code: gang.Incomplete, Text: "gang has 1 of 4 pods", Bound: 1}},
		{"placed", Outcome{Scheduled: true, Bound: 9}},
		{"runs", Outcome{Scheduled: true, Bound: 9, Running: 9}},
		{"short", Outcome{Scheduled: true, Bound: 8, Running: 8, Short: "1 of 9 pods are missing"}},
	} {
		if body := kind.Status(object, o.outcome, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)); body != nil {
			fmt.Fprintf(&out, "  %-8s %s\n", o.name, body)
		}
	}
	return out.String()
}

func kindOf(t *testing.T, object *unstructured.Unstructured) Kind {
	t.Helper()
	for _, kind := range Kinds() {
		if kind.Resource.GroupVersion().String() == object.GetAPIVersion() && kind.Kind == object.GetKind() {
			return kind
		}
	}
	t.Fatalf("no kind for %s %s", object.GetAPIVersion(), object.GetKind())
	return Kind{}
}

func describeMembership(out *strings.Builder, m Membership) {
	fmt.Fprintf(out, "  gang     %s in %s\n", m.Key, m.Key.Dialect)
	fmt.Fprintf(out, "  claims   %s\n", describeClaims(m.Claims))
	fmt.Fprintf(out, "  rank     %d, role %q\n", m.Rank, m.Role)
	if m.Extra {
		fmt.Fprintln(out, "  the size does not include it")
	}
	if m.Fault != nil {
		fmt.Fprintf(out, "  fault    %s: %s\n", m.Fault.Code, m.Fault.Text)
	}
}

func describeDeclared(out *strings.Builder, declared []Declared) {
	for _, d := range declared {
		fmt.Fprintf(out, "  declares %s in %s by %s\n", d.Key, d.Key.Dialect, d.Declaration.Source)
		fmt.Fprintf(out, "           %s\n", describeClaims(d.Declaration.Claims))
		if d.Fault != nil {
			fmt.Fprintf(out, "           %s: %s\n", d.Fault.Code, d.Fault.Text)
		}
	}
}

func describeClaims(c gang.Claims) string {
	size := "unsaid"
	if c.Size != nil {
		size = fmt.Sprint(*c.Size)
	}
	return fmt.Sprintf("size %s, topology %s, queue %q", size, c.Topology, c.Queue)
}
