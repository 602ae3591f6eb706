package manifests_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/berth-dev/berth/manifests"
)

// Kustomize may drop a field given twice, so the files are read by themselves.
func TestFilesDecodeStrictly(t *testing.T) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Dir(file) == "chart" {
			continue // no objects; what it makes of these files is read in test/integration
		}
		if filepath.Dir(file) == "monitoring" && filepath.Base(file) != "rbac.yaml" {
			continue // of kinds that others define: test/monitoring reads those
		}
		switch filepath.Base(file) {
		case "kustomization.yaml", // kustomize itself is strict about it
			"config.yaml": // read where it lands, in the ConfigMap
			continue
		}
		t.Run(file, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
			for {
				document, err := documents.Read()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := decodeStrictly(types(t), document); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// bases are what users apply, and programs render.
var bases = []struct {
	name   string
	render func() ([]*unstructured.Unstructured, error)
}{
	{"base", manifests.Base},
	{"agent", manifests.Agent},
	{"crds", manifests.CRDs},
	{"owners", onBase(manifests.Owners)},
	{"suspend", onBase(manifests.Suspend)},
}

// onBase is what render returns together with what it refers to.
func onBase(render func() ([]*unstructured.Unstructured, error)) func() ([]*unstructured.Unstructured, error) {
	return func() ([]*unstructured.Unstructured, error) {
		base, err := manifests.Base()
		if err != nil {
			return nil, err
		}
		more, err := render()
		return append(base, more...), err
	}
}

func TestBases(t *testing.T) {
	for _, base := range bases {
		t.Run(base.name, func(t *testing.T) {
			for _, problem := range problems(render(t, base.render)) {
				t.Error(problem)
			}
		})
	}
	for _, problem := range configProblems(render(t, manifests.Base)) {
		t.Error(problem)
	}
}

// TestOrder checks that a program may create the objects one by one.
func TestOrder(t *testing.T) {
	for _, base := range bases {
		t.Run(base.name, func(t *testing.T) {
			namespaces := map[string]bool{metav1.NamespaceSystem: true}
			running := ""
			for _, object := range render(t, base.render) {
				m := metadata(object)
				switch object.(type) {
				case *corev1.Namespace:
					namespaces[m.GetName()] = true
				case *appsv1.Deployment, *appsv1.DaemonSet:
					running = m.GetName()
				case *admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding:
					if running != "" {
						t.Errorf("%T %q comes after %q is started", object, m.GetName(), running)
					}
				}
				if m.GetNamespace() != "" && !namespaces[m.GetNamespace()] {
					t.Errorf("%T %q comes before its namespace %q", object, m.GetName(), m.GetNamespace())
				}
			}
		})
	}
}

// TestProblems checks the checker: each row breaks one thing in the base.
func TestProblems(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(runtime.Object)
		want  string
	}{
		{"unknown service account", func(o runtime.Object) {
			if d, ok := o.(*appsv1.Deployment); ok {
				d.Spec.Template.Spec.ServiceAccountName = "other"
			}
		}, `service account "other"`},
		{"configuration without its hash", func(o runtime.Object) {
			if d, ok := o.(*appsv1.Deployment); ok {
				d.Spec.Template.Spec.Volumes[0].ConfigMap.Name = "berth-config"
			}
		}, `config map "berth-config"`},
		{"configuration file under another name", func(o runtime.Object) {
			if d, ok := o.(*appsv1.Deployment); ok {
				d.Spec.Template.Spec.Containers[0].Args = []string{"--config=/etc/berth/berth.yaml"}
			}
		}, `"/etc/berth/berth.yaml" is in no volume`},
		{"probe of an unnamed port", func(o runtime.Object) {
			if d, ok := o.(*appsv1.Deployment); ok {
				d.Spec.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Port = intstr.FromString("http")
			}
		}, `port "http"`},
		{"service that selects nothing", func(o runtime.Object) {
			if s, ok := o.(*corev1.Service); ok {
				s.Spec.Selector = map[string]string{"app": "berth"}
			}
		}, "service \"berth\" selects no pod"},
		{"budget that selects nothing", func(o runtime.Object) {
			if b, ok := o.(*policyv1.PodDisruptionBudget); ok {
				b.Spec.Selector = nil
			}
		}, "budget \"berth\" selects no pod"},
		{"wildcard verb", func(o runtime.Object) {
			if r, ok := o.(*rbacv1.ClusterRole); ok && r.Name == "berth" {
				r.Rules[0].Verbs = []string{"*"}
			}
		}, "wildcard"},
		{"wildcard subresource", func(o runtime.Object) {
			if r, ok := o.(*rbacv1.Role); ok && r.Name == "berth-leader-election" {
				r.Rules[0].Resources = []string{"leases/*"}
			}
		}, "wildcard"},
		{"binding of an unknown role", func(o runtime.Object) {
			if b, ok := o.(*rbacv1.ClusterRoleBinding); ok {
				b.RoleRef.Name = "other"
			}
		}, `role "other"`},
		{"unknown field in the configuration", func(o runtime.Object) {
			if c, ok := o.(*corev1.ConfigMap); ok {
				c.Data["config.yaml"] += "\nparalelism: 16\n"
			}
		}, `unknown field "paralelism"`},
		{"unknown field in a plugin's arguments", func(o runtime.Object) {
			if c, ok := o.(*corev1.ConfigMap); ok {
				c.Data["config.yaml"] = strings.Replace(c.Data["config.yaml"], "defaultingType:", "defaultingTyp:", 1)
			}
		}, `unknown field "defaultingTyp"`},
		{"lease that the role does not name", func(o runtime.Object) {
			if c, ok := o.(*corev1.ConfigMap); ok {
				c.Data["config.yaml"] = strings.Replace(c.Data["config.yaml"], "resourceName: berth", "resourceName: other", 1)
			}
		}, `lease "kube-system/other"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkSpoilt(t, render(t, manifests.Base), test.spoil, test.want)
		})
	}
}

// TestAgentProblems does the same for the agent.
func TestAgentProblems(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(runtime.Object)
		want  string
	}{
		{"unknown service account", func(o runtime.Object) {
			if d, ok := o.(*appsv1.DaemonSet); ok {
				d.Spec.Template.Spec.ServiceAccountName = "other"
			}
		}, `service account "other"`},
		{"selector of other pods", func(o runtime.Object) {
			if d, ok := o.(*appsv1.DaemonSet); ok {
				d.Spec.Template.Labels = map[string]string{"app": "agent"}
			}
		}, "does not select its own pods"},
		{"the node's directory to write to", func(o runtime.Object) {
			if d, ok := o.(*appsv1.DaemonSet); ok {
				d.Spec.Template.Spec.Containers[0].VolumeMounts[0].ReadOnly = false
			}
		}, `may write to "/var/lib/kubelet/pod-resources" of the node`},
		{"capabilities", func(o runtime.Object) {
			if d, ok := o.(*appsv1.DaemonSet); ok {
				d.Spec.Template.Spec.Containers[0].SecurityContext.Capabilities = nil
			}
		}, `container "agent" keeps capabilities`},
		{"wildcard verb", func(o runtime.Object) {
			if r, ok := o.(*rbacv1.ClusterRole); ok {
				r.Rules[0].Verbs = []string{"*"}
			}
		}, "wildcard"},
		{"policy that is not in force", func(o runtime.Object) {
			if b, ok := o.(*admissionv1.ValidatingAdmissionPolicyBinding); ok {
				b.Spec.PolicyName = "other"
			}
		}, `policy "berth-agent" is bound by nothing`},
		{"policy that warns", func(o runtime.Object) {
			if b, ok := o.(*admissionv1.ValidatingAdmissionPolicyBinding); ok {
				b.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
			}
		}, `policy "berth-agent" is bound by nothing`},
		{"policy for somebody else", func(o runtime.Object) {
			if p, ok := o.(*admissionv1.ValidatingAdmissionPolicy); ok {
				p.Spec.MatchConditions[0].Expression = "request.userInfo.username == 'system:serviceaccount:berth-agent:other'"
			}
		}, `policy "berth-agent" names no service account that is here`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkSpoilt(t, render(t, manifests.Agent), test.spoil, test.want)
		})
	}
}

// checkSpoilt checks that objects have one problem once they are spoilt.
func checkSpoilt(t *testing.T, objects []runtime.Object, spoil func(runtime.Object), want string) {
	t.Helper()
	configured := len(index[*corev1.ConfigMap](objects)) > 0
	for _, object := range objects {
		spoil(object)
	}
	got := problems(objects)
	if configured {
		got = append(got, configProblems(objects)...)
	}
	if len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("got %q, want one problem with %q", got, want)
	}
}

// types has all kinds that are in manifests.
func types(t *testing.T) *runtime.Scheme {
	t.Helper()
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// decodeStrictly returns the object in data, which is YAML or JSON, as the
// type that the scheme has for it. It fails on fields that this type does not
// have and on fields given twice.
func decodeStrictly(types *runtime.Scheme, data []byte) (runtime.Object, error) {
	object, _, err := serializer.NewCodecFactory(types, serializer.EnableStrict).
		UniversalDeserializer().Decode(data, nil, nil)
	return object, err
}

// render returns what a base renders, typed.
func render(t *testing.T, base func() ([]*unstructured.Unstructured, error)) []runtime.Object {
	t.Helper()
	rendered, err := base()
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, u := range rendered {
		data, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object, err := decodeStrictly(types(t), data)
		if err != nil {
			t.Fatalf("%s %q: %v", u.GetKind(), u.GetName(), err)
		}
		objects = append(objects, object)
	}
	return objects
}
