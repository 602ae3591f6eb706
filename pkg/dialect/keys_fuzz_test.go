package dialect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// keysUnderTestdata returns the labels and annotations of all pods under testdata, in order.
func keysUnderTestdata(f *testing.F) []string {
	f.Helper()
	var keys []string
	seed(f, func(body []byte) {
		pod := &corev1.Pod{}
		if err := json.Unmarshal(body, pod); err != nil {
			f.Fatal(err)
		}
		for _, of := range []map[string]string{pod.Labels, pod.Annotations} {
			for key := range of {
				if strings.Contains(key, "/") {
					keys = append(keys, key)
				}
			}
		}
	}, true)
	keys = append(keys, WrittenAnnotations()...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// FuzzKeys has any value stand under each key of every dialect, two at a time, beside a gang
// that is well formed: what a tenant writes is read or is a fault, and what is read of a gang
// survives what the engine makes of it.
func FuzzKeys(f *testing.F) {
	keys := keysUnderTestdata(f)
	for i := range keys {
		for _, value := range []string{"", "2", "-1", "9223372036854775808", "rack", "a=1", "{}", "[[]]", "true", "\x00é/:!"} {
			f.Add(uint16(i), value, uint16(i*7), "1", i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, first uint16, a string, second uint16, b string, declared bool) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Labels: map[string]string{}, Annotations: map[string]string{}}}
		if declared {
			pod.Labels["berth.dev/gang"], pod.Annotations["berth.dev/gang-size"] = "g", "2"
		}
		for key, value := range map[string]string{keys[int(first)%len(keys)]: a, keys[int(second)%len(keys)]: b} {
			pod.Labels[key], pod.Annotations[key] = value, value
		}
		before := pod.DeepCopy()
		m, in := Of(pod)
		if again, _ := Of(pod); !sameMembership(m, again) {
			t.Errorf("two answers for one pod: %+v, %+v", m, again)
		}
		if in && (m.Key.Namespace != "ns" || m.Key.Name == "" || gang.KeyOf("ns", m.Key.GroupName()) != m.Key) {
			t.Errorf("key %+v, as a group %q", m.Key, m.Key.GroupName())
		}
		checkFault(t, m.Fault)
		for _, d := range DeclaredBy(pod) {
			checkDeclared(t, d, "ns")
		}
		_, _ = GPULink(pod)
		_ = Queue(pod.Labels, pod.Annotations)
		if _, err := json.Marshal(pod); err != nil || len(pod.Labels) != len(before.Labels) || len(pod.Annotations) != len(before.Annotations) {
			t.Errorf("the pod was changed: %v", err)
		}
	})
}

// FuzzOwner has any object be the owner of pods that are to go: whatever it says, there is an
// answer with a reason, and nobody is suspended who may not be.
func FuzzOwner(f *testing.F) {
	seed(f, func(body []byte) { f.Add(body, "", true) }, false)
	for _, s := range Suspendables() {
		body := `{"apiVersion":"` + s.Resource.GroupVersion().String() + `","kind":"` + s.Kind + `","metadata":{"name":"o"},"spec":{"suspend":false,"backoffLimit":0,"failurePolicy":{"maxRestarts":1},"replicatedJobs":[{"name":"w"}]},"status":{"failed":1}}`
		f.Add([]byte(body), "worker", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, role string, may bool) {
		var fields map[string]any
		if json.Unmarshal(body, &fields) != nil {
			t.Skip()
		}
		object := &unstructured.Unstructured{Object: fields}
		ref := OwnerRef{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: "ns", Name: object.GetName(), UID: "u"}
		_, _ = ref.Readable()
		pods := []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Labels: map[string]string{volcanoTaskLabel: role, "jobset.sigs.k8s.io/replicatedjob-name": role}}}}
		for _, owners := range [][]OwnerObject{{{OwnerRef: ref, Object: object}}, {{OwnerRef: ref}}, {{OwnerRef: ref, Object: object}, {OwnerRef: ref, Object: object}}} {
			d := Depart(pods, owners, func(schema.GroupResource) bool { return may })
			if d.Code == "" || d.Text == "" || d.Action == Suspend && !may {
				t.Errorf("departure %+v", d)
			}
		}
		for _, kind := range Kinds() {
			if kind.Announced == nil {
				continue
			}
			if a := kind.Announced(object); a != nil && kind.Admit != nil {
				if patch := kind.Admit(object); patch != nil && !json.Valid(patch) {
					t.Errorf("patch %s", patch)
				}
			}
		}
	})
}

// FuzzElasticQuota has any object be the quota of a namespace.
func FuzzElasticQuota(f *testing.F) {
	f.Add([]byte(`{"metadata":{"namespace":"ns"},"spec":{"min":{"cpu":"1","nvidia.com/gpu":8},"max":{"cpu":"2"}}}`))
	f.Add([]byte(`{"spec":{"min":{"cpu":"-1e99"},"max":[]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var fields map[string]any
		if json.Unmarshal(body, &fields) != nil {
			t.Skip()
		}
		_, _ = ElasticQuota(&unstructured.Unstructured{Object: fields})
	})
}
