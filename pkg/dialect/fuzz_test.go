package dialect

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// seed adds the objects under testdata, by whether they are pods.
func seed(f *testing.F, add func(body []byte), pods bool) {
	f.Helper()
	manifests, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, manifest := range manifests {
		for _, object := range readSeed(f, manifest) {
			if (object.GetKind() == "Pod") == pods {
				body, err := object.MarshalJSON()
				if err != nil {
					f.Fatal(err)
				}
				add(body)
			}
		}
	}
}

// FuzzOf checks what holds of every pod: a key in the pod's namespace that survives
// the way through a group name, a fault that a person can read, and an answer that
// does not depend on when it is asked.
func FuzzOf(f *testing.F) {
	seed(f, func(body []byte) { f.Add(body) }, true)
	f.Fuzz(func(t *testing.T, body []byte) {
		pod := &corev1.Pod{}
		if json.Unmarshal(body, pod) != nil {
			t.Skip()
		}
		m, ok := Of(pod)
		if again, _ := Of(pod); !sameMembership(m, again) {
			t.Errorf("two answers for one pod: %+v, %+v", m, again)
		}
		for _, d := range DeclaredBy(pod) {
			checkDeclared(t, d, pod.Namespace)
		}
		if !ok {
			if m != (Membership{}) {
				t.Errorf("a plain pod says %+v", m)
			}
			return
		}
		if m.Key.Namespace != pod.Namespace || m.Key.Name == "" || m.Key.Dialect == "" {
			t.Errorf("key %+v", m.Key)
		}
		if got := gang.KeyOf(pod.Namespace, m.Key.GroupName()); got != m.Key && !strings.Contains(pod.Name, ":") {
			t.Errorf("group name %q is read as %+v, want %+v", m.Key.GroupName(), got, m.Key)
		}
		if strings.Contains(m.Key.Name, "!") && m.Fault == nil {
			t.Errorf("a gang without a fault has key %q", m.Key.Name)
		}
		if m.Rank < -1 {
			t.Errorf("rank %d", m.Rank)
		}
		if m.Claims.Topology.SegmentSize < 0 || (m.Claims.Topology.SegmentSize == 0) != (m.Claims.Topology.SegmentLevel == "") {
			t.Errorf("topology %+v", m.Claims.Topology)
		}
		checkFault(t, m.Fault)
	})
}

// FuzzDeclare checks what holds of every object of every kind: nothing panics, keys
// are well formed, and an object with a fault claims nothing.
func FuzzDeclare(f *testing.F) {
	seed(f, func(body []byte) {
		for i := range Kinds() {
			f.Add(body, uint8(i))
		}
	}, false)
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		var fields map[string]any
		if json.Unmarshal(body, &fields) != nil {
			t.Skip()
		}
		object := &unstructured.Unstructured{Object: fields}
		kinds := Kinds()
		kind := kinds[int(which)%len(kinds)]
		for _, d := range kind.Declare(object) {
			checkDeclared(t, d, object.GetNamespace())
		}
		for _, o := range []Outcome{{Code: gang.Incomplete, Text: "waits"}, {Scheduled: true, Bound: 2, Running: 1}} {
			patch := kind.Status(object, o, time.Unix(0, 0))
			if patch == nil {
				continue
			}
			var read struct {
				Status map[string]any `json:"status"`
			}
			if err := json.Unmarshal(patch, &read); err != nil || len(read.Status) == 0 {
				t.Errorf("patch %s: %v", patch, err)
			}
		}
	})
}

func readSeed(f *testing.F, path string) []*unstructured.Unstructured {
	f.Helper()
	objects, err := parseManifest(path)
	if err != nil {
		f.Fatal(err)
	}
	return objects
}

func sameMembership(a, b Membership) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func checkDeclared(t *testing.T, d Declared, namespace string) {
	t.Helper()
	if d.Key.Namespace != namespace || d.Key.Name == "" || d.Key.Dialect == "" || d.Declaration.Source == "" {
		t.Errorf("declared %+v", d)
	}
	if d.Fault != nil && d.Declaration.Claims != (gang.Claims{}) {
		t.Errorf("an object with a fault claims %+v", d.Declaration.Claims)
	}
	checkFault(t, d.Fault)
}

func checkFault(t *testing.T, fault *gang.Fault) {
	t.Helper()
	if fault != nil && (fault.Code == "" || fault.Text == "" || !utf8.ValidString(fault.Text) || len(fault.Text) > 1024) {
		t.Errorf("fault %+v", fault)
	}
}
