package manifests_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	schedulerconfig "k8s.io/kube-scheduler/config/v1"
)

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
		workloadProblems(objects),
		selectorProblems(objects),
		policyProblems(objects),
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

// A workload is a Deployment or a DaemonSet.
type workload struct {
	key      key
	kind     string
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func workloads(objects []runtime.Object) (all []workload) {
	for name, d := range index[*appsv1.Deployment](objects) {
		all = append(all, workload{name, "deployment", d.Spec.Selector, d.Spec.Template})
	}
	for name, d := range index[*appsv1.DaemonSet](objects) {
		all = append(all, workload{name, "daemon set", d.Spec.Selector, d.Spec.Template})
	}
	return all
}

func workloadProblems(objects []runtime.Object) (found []string) {
	accounts := index[*corev1.ServiceAccount](objects)
	configMaps := index[*corev1.ConfigMap](objects)

	for _, w := range workloads(objects) {
		name, template := w.key, w.template
		if !matches(w.selector, template.Labels) {
			found = append(found, fmt.Sprintf("%s %q does not select its own pods", w.kind, name))
		}
		if _, ok := accounts[key{name.namespace, template.Spec.ServiceAccountName}]; !ok {
			found = append(found, fmt.Sprintf("%s %q: no service account %q", w.kind, name, template.Spec.ServiceAccountName))
		}

		node := map[string]string{}      // the directories of the node, by volume
		volumes := map[string][]string{} // the files in each
		missing := false
		for _, volume := range template.Spec.Volumes {
			if volume.HostPath != nil {
				node[volume.Name] = volume.HostPath.Path
			}
			if volume.ConfigMap == nil {
				continue
			}
			configMap, ok := configMaps[key{name.namespace, volume.ConfigMap.Name}]
			if !ok {
				found = append(found, fmt.Sprintf("%s %q: no config map %q", w.kind, name, volume.ConfigMap.Name))
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

			if c := container.SecurityContext; c == nil || c.Capabilities == nil || !slices.Contains(c.Capabilities.Drop, "ALL") || len(c.Capabilities.Add) > 0 {
				found = append(found, fmt.Sprintf("container %q keeps capabilities", container.Name))
			}

			var mounted []string
			for _, mount := range container.VolumeMounts {
				if path, ok := node[mount.Name]; ok && !mount.ReadOnly {
					found = append(found, fmt.Sprintf("container %q may write to %q of the node", container.Name, path))
				}
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

// policyProblems returns what is wrong with admission policies: each is in force, and
// for everybody or a service account that is here.
func policyProblems(objects []runtime.Object) (found []string) {
	for name, policy := range index[*admissionv1.ValidatingAdmissionPolicy](objects) {
		bound := false
		for _, binding := range index[*admissionv1.ValidatingAdmissionPolicyBinding](objects) {
			bound = bound || binding.Spec.PolicyName == name.name && slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny)
		}
		if !bound {
			found = append(found, fmt.Sprintf("policy %q is bound by nothing that denies", name.name))
		}
		if !slices.ContainsFunc(policy.Spec.MatchConditions, func(c admissionv1.MatchCondition) bool {
			return strings.Contains(c.Expression, "request.userInfo")
		}) {
			continue // it is for everybody
		}
		concerned := false
		for account := range index[*corev1.ServiceAccount](objects) {
			user := fmt.Sprintf("'system:serviceaccount:%s:%s'", account.namespace, account.name)
			concerned = concerned || slices.ContainsFunc(policy.Spec.MatchConditions, func(c admissionv1.MatchCondition) bool {
				return strings.Contains(c.Expression, user)
			})
		}
		if !concerned {
			found = append(found, fmt.Sprintf("policy %q names no service account that is here", name.name))
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
