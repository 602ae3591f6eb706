package operators

import "github.com/berth-dev/berth/pkg/localcluster"

// volcanos is the controller of Volcano Jobs; Volcano's scheduler does not run.
func volcanos() []Operator {
	return []Operator{{
		Title: "Volcano Job",
		Release: localcluster.Release{Name: "volcano", Module: "volcano.sh/volcano", Version: "v1.15.1", Package: "./cmd/controller-manager",
			// The release is built with a part of its repository that is no module of its own.
			Replace: []localcluster.Replacement{{Module: "volcano.sh/apis", Version: "v1.14.0", Files: map[string]string{
				"pkg/apis/scheduling/v1beta1/gate.go": "package v1beta1\n\n// QueueAllocationGateKey came with 1.15.\nconst QueueAllocationGateKey = GroupName + \"/queue-allocation-gate\"\n",
			}}}},
		Definitions: []string{"config/crd/volcano/bases/*.yaml", "config/crd/jobflow/bases/*.yaml"},
		Args:        []string{"--kubeconfig={{.Kubeconfig}}", "--scheduler-name=berth", "--leader-elect=false", "--enable-healthz=false", "--enable-metrics=false"},
	}}
}
