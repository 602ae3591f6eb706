package manifests_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	schedulerconfig "k8s.io/kube-scheduler/config/v1"

	"github.com/berth-dev/berth/manifests"
)

// Kustomize may drop a field given twice, so the files are read by themselves.
func TestFilesDecodeStrictly(t *testing.T) {
	files, err := filepath.Glob("base/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
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
				if _, err := decodeStrictly(scheme.Scheme, document); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestBase(t *testing.T) {
	for _, problem := range problems(renderBase(t)) {
		t.Error(problem)
	}
}

// TestBaseOrder checks that a program may create the objects one by one.
func TestBaseOrder(t *testing.T) {
	namespaces := map[string]bool{metav1.NamespaceSystem: true}
	for _, object := range renderBase(t) {
		if namespace, ok := object.(*corev1.Namespace); ok {
			namespaces[namespace.Name] = true
		}
		if m := metadata(object); m.GetNamespace() != "" && !namespaces[m.GetNamespace()] {
			t.Errorf("%T %q comes before its namespace %q", object, m.GetName(), m.GetNamespace())
		}
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
			if r, ok := o.(*rbacv1.ClusterRole); ok {
				r.Rules[0].Verbs = []string{"*"}
			}
		}, "wildcard"},
		{"wildcard subresource", func(o runtime.Object) {
			if r, ok := o.(*rbacv1.Role); ok {
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
			objects := renderBase(t)
			for _, object := range objects {
				test.spoil(object)
			}
			got := problems(objects)
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("got %q, want one problem with %q", got, test.want)
			}
		})
	}
}

// decodeStrictly returns the object in data, which is YAML or JSON, as the
// type that the scheme has for it. It fails on fields that this type does not
// have and on fields given twice.
func decodeStrictly(types *runtime.Scheme, data []byte) (runtime.Object, error) {
	object, _, err := serializer.NewCodecFactory(types, serializer.EnableStrict).
		UniversalDeserializer().Decode(data, nil, nil)
	return object, err
}

// renderBase returns the rendered base, typed.
func renderBase(t *testing.T) []runtime.Object {
	t.Helper()
	rendered, err := manifests.Base()
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, u := range rendered {
		data, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object, err := decodeStrictly(scheme.Scheme, data)
		if err != nil {
			t.Fatalf("%s %q: %v", u.GetKind(), u.GetName(), err)
		}
		objects = append(objects, object)
	}
	return objects
}

// A key is a namespace and a name; the namespace of cluster-wide objects is empty.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

func metadata(object runtime.Object) metav1.Object {
	m, err := meta.Accessor(object)
	if err != nil {
		panic(err) // every object of a manifest has metadata
	}
	return m
}

// index returns the objects of one type by key.
func index[T runtime.Object](objects []runtime.Object) map[key]T {
	found := map[key]T{}
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			m := metadata(object)
			found[key{m.GetNamespace(), m.GetName()}] = typed
		}
	}
	return found
}

// problems returns what is wrong with the objects taken together, one sentence
// each: references that lead nowhere, and permissions that are too wide.
func problems(objects []runtime.Object) []string {
	return slices.Concat(
		permissionProblems(objects),
		deploymentProblems(objects),
		selectorProblems(objects),
		configProblems(objects),
	)
}

func permissionProblems(objects []runtime.Object) (found []string) {
	clusterRoles := index[*rbacv1.ClusterRole](objects)
	roles := index[*rbacv1.Role](objects)
	accounts := index[*corev1.ServiceAccount](objects)

	narrow := func(role string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames, rule.NonResourceURLs) {
				if strings.Contains(word, "*") {
					found = append(found, fmt.Sprintf("role %q has the wildcard %q", role, word))
				}
			}
		}
	}
	bound := func(namespace string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		known := false
		switch {
		case ref.Kind == "ClusterRole":
			_, known = clusterRoles[key{"", ref.Name}]
		case ref.Name == "extension-apiserver-authentication-reader":
			known = namespace == metav1.NamespaceSystem // in every cluster
		case ref.Kind == "Role":
			_, known = roles[key{namespace, ref.Name}]
		}
		if !known {
			found = append(found, fmt.Sprintf("no %s role %q to bind", ref.Kind, ref.Name))
		}
		for _, subject := range subjects {
			if _, ok := accounts[key{subject.Namespace, subject.Name}]; !ok || subject.Kind != rbacv1.ServiceAccountKind {
				found = append(found, fmt.Sprintf("role %q is bound to %s %s/%s, which is not here", ref.Name, subject.Kind, subject.Namespace, subject.Name))
			}
		}
	}
	for name, role := range clusterRoles {
		narrow(name.name, role.Rules)
	}
	for name, role := range roles {
		narrow(name.name, role.Rules)
	}
	for _, binding := range index[*rbacv1.ClusterRoleBinding](objects) {
		bound("", binding.RoleRef, binding.Subjects)
	}
	for _, binding := range index[*rbacv1.RoleBinding](objects) {
		bound(binding.Namespace, binding.RoleRef, binding.Subjects)
	}
	return found
}

func deploymentProblems(objects []runtime.Object) (found []string) {
	accounts := index[*corev1.ServiceAccount](objects)
	configMaps := index[*corev1.ConfigMap](objects)

	for name, deployment := range index[*appsv1.Deployment](objects) {
		template := deployment.Spec.Template
		if !matches(deployment.Spec.Selector, template.Labels) {
			found = append(found, fmt.Sprintf("deployment %q does not select its own pods", name))
		}
		if _, ok := accounts[key{name.namespace, template.Spec.ServiceAccountName}]; !ok {
			found = append(found, fmt.Sprintf("deployment %q: no service account %q", name, template.Spec.ServiceAccountName))
		}

		volumes := map[string][]string{} // the files in each
		missing := false
		for _, volume := range template.Spec.Volumes {
			if volume.ConfigMap == nil {
				continue
			}
			configMap, ok := configMaps[key{name.namespace, volume.ConfigMap.Name}]
			if !ok {
				found = append(found, fmt.Sprintf("deployment %q: no config map %q", name, volume.ConfigMap.Name))
				missing = true
				continue
			}
			volumes[volume.Name] = slices.Collect(maps.Keys(configMap.Data))
		}

		for _, container := range template.Spec.Containers {
			ports := map[string]bool{}
			for _, port := range container.Ports {
				ports[port.Name] = true
			}
			for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
				if probe == nil || probe.HTTPGet == nil {
					found = append(found, fmt.Sprintf("container %q lacks a probe", container.Name))
				} else if port := probe.HTTPGet.Port.String(); !ports[port] {
					found = append(found, fmt.Sprintf("container %q: a probe of %s asks port %q, which has no such name", container.Name, probe.HTTPGet.Path, port))
				}
			}

			var mounted []string
			for _, mount := range container.VolumeMounts {
				for _, file := range volumes[mount.Name] {
					mounted = append(mounted, path.Join(mount.MountPath, file))
				}
			}
			for _, arg := range container.Args {
				file, isConfig := strings.CutPrefix(arg, "--config=")
				if isConfig && !missing && !slices.Contains(mounted, file) {
					found = append(found, fmt.Sprintf("container %q: %q is in no volume", container.Name, file))
				}
			}
		}
	}
	return found
}

// selectorProblems returns what is wrong with whatever selects the pods of a
// Deployment from outside of it.
func selectorProblems(objects []runtime.Object) (found []string) {
	deployments := index[*appsv1.Deployment](objects)
	// selected calls the function for each Deployment whose pods are selected
	// and says whether there is one.
	selected := func(namespace string, selector *metav1.LabelSelector, each func(corev1.PodSpec)) bool {
		found := false
		for name, deployment := range deployments {
			if name.namespace == namespace && matches(selector, deployment.Spec.Template.Labels) {
				found = true
				each(deployment.Spec.Template.Spec)
			}
		}
		return found
	}

	for name, budget := range index[*policyv1.PodDisruptionBudget](objects) {
		if !selected(name.namespace, budget.Spec.Selector, func(corev1.PodSpec) {}) {
			found = append(found, fmt.Sprintf("budget %q selects no pod", name.name))
		}
	}
	for name, service := range index[*corev1.Service](objects) {
		ok := selected(name.namespace, metav1.SetAsLabelSelector(service.Spec.Selector), func(pod corev1.PodSpec) {
			for _, port := range service.Spec.Ports {
				serves := func(p corev1.ContainerPort) bool {
					return p.Name == port.TargetPort.String() && p.ContainerPort == port.Port
				}
				if !slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool { return slices.ContainsFunc(c.Ports, serves) }) {
					found = append(found, fmt.Sprintf("service %q: no container serves port %d as %q", name.name, port.Port, port.TargetPort.String()))
				}
			}
		})
		if !ok {
			found = append(found, fmt.Sprintf("service %q selects no pod", name.name))
		}
	}
	return found
}

// matches reports whether a selector that selects something selects the labels.
func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(set))
}

// configProblems returns what is wrong with the scheduler's configuration.
func configProblems(objects []runtime.Object) (found []string) {
	types := runtime.NewScheme()
	if err := schedulerconfig.AddToScheme(types); err != nil {
		return []string{err.Error()}
	}
	roles := index[*rbacv1.Role](objects)
	configured := false
	for name, configMap := range index[*corev1.ConfigMap](objects) {
		for file, data := range configMap.Data {
			object, err := decodeStrictly(types, []byte(data))
			if err != nil {
				found = append(found, fmt.Sprintf("config map %q: %s: %v", name, file, err))
				configured = true
				continue
			}
			config, ok := object.(*schedulerconfig.KubeSchedulerConfiguration)
			if !ok {
				continue
			}
			configured = true
			// The arguments of the plugins are left raw by the decoder.
			strict := serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
			if err := config.DecodeNestedObjects(strict); err != nil {
				found = append(found, fmt.Sprintf("config map %q: %s: %v", name, file, err))
			}
			hasName := func(p schedulerconfig.KubeSchedulerProfile) bool {
				return p.SchedulerName != nil && *p.SchedulerName == "berth"
			}
			if !slices.ContainsFunc(config.Profiles, hasName) {
				found = append(found, fmt.Sprintf("config map %q: no profile is named berth", name))
			}
			lease := config.LeaderElection
			mayRenew := false
			for role, r := range roles {
				for _, rule := range r.Rules {
					mayRenew = mayRenew || role.namespace == lease.ResourceNamespace &&
						slices.Contains(rule.Resources, "leases") && slices.Contains(rule.ResourceNames, lease.ResourceName) &&
						slices.Contains(rule.Verbs, "get") && slices.Contains(rule.Verbs, "update")
				}
			}
			if !mayRenew {
				found = append(found, fmt.Sprintf("config map %q: no role may renew the lease %q", name, key{lease.ResourceNamespace, lease.ResourceName}))
			}
		}
	}
	if !configured {
		found = append(found, "no config map holds a KubeSchedulerConfiguration")
	}
	return found
}
