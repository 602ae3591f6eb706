package operators

import "github.com/berth-dev/berth/pkg/localcluster"

// builtins are the controllers of kube-controller-manager that make pods which run together.
// Every cluster runs them: there is nothing to build, and the integration tests play them.
func builtins() []Operator {
	var out []Operator
	for _, title := range [...]struct{ title, name string }{
		{"Job", "job"}, {"Deployment", "deployment"}, {"StatefulSet", "statefulset"}, {"CronJob", "cronjob"},
	} {
		out = append(out, Operator{
			Title:   title.title,
			Release: localcluster.Release{Name: title.name, Module: "k8s.io/kubernetes", Version: localcluster.KubernetesVersion()},
			Builtin: true,
			Common:  true,
		})
	}
	return out
}
