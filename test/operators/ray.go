package operators

import (
	"slices"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// rays is KubeRay with each of its kinds. What is real is the operator; what is played is Ray:
// the dashboard and the autoscaler of each head (see test/operators/ray).
func rays() []Operator {
	of := func(title, script, scheduler string) Operator {
		return Operator{
			Title:       title,
			Script:      script,
			Release:     localcluster.Release{Name: "kuberay", Module: "github.com/ray-project/kuberay/ray-operator", Version: "v1.6.0", Package: "."},
			Definitions: []string{"config/crd/bases/*.yaml"},
			Foreign:     []string{scheduler},
			Args: []string{"--kubeconfig={{.Kubeconfig}}", "--metrics-addr=127.0.0.1:0", "--health-probe-bind-address=0", "--enable-leader-election=false",
				"--batch-scheduler=" + scheduler},
			// How soon it looks again where it was told nothing: the columns of Kueue say why.
			Env:        []string{"RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV=5"},
			Schedulers: []string{rayProfiles[scheduler]},
		}
	}
	played := func(o Operator) Operator {
		o.Played = &Played{Package: "github.com/berth-dev/berth/test/operators/ray", Name: "ray", Args: []string{"--listen=127.0.0.1:{{.PlayedPort}}"}}
		// The program that is played goes by KUBECONFIG, and the operator by its argument.
		o.Env = slices.Concat(o.Env, []string{"KUBECONFIG={{.Kubeconfig}}", "http_proxy=http://127.0.0.1:{{.PlayedPort}}"})
		return o
	}
	return []Operator{
		of("KubeRay, RayCluster", "kuberay", "scheduler-plugins"),
		played(of("KubeRay, RayCluster, autoscaled", "kuberay-autoscaled", "volcano")),
		played(of("KubeRay, RayJob", "kuberay-rayjob", "volcano")),
		played(of("KubeRay, RayService", "kuberay-rayservice", "scheduler-plugins")),
	}
}

// rayProfiles are the names of schedulers that KubeRay writes into pods, by its batch scheduler.
var rayProfiles = map[string]string{"scheduler-plugins": "scheduler-plugins-scheduler", "volcano": "volcano"}
