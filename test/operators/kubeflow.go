package operators

import "github.com/berth-dev/berth/pkg/localcluster"

// kubeflow are the operators of Kubeflow: each makes a PodGroup of scheduler-plugins for a
// job. The webhooks of the training operator and of Trainer run.
func kubeflow() []Operator {
	return []Operator{
		{
			Title:       "MPI operator",
			Release:     localcluster.Release{Name: "mpi", Module: "github.com/kubeflow/mpi-operator", Version: "v0.8.0", Package: "./cmd/mpi-operator"},
			Definitions: []string{"manifests/base/kubeflow.org_mpijobs.yaml"},
			Foreign:     []string{"scheduler-plugins"},
			// It serves its health at port 8080, and ends where that is taken.
			Args: []string{"--kubeConfig={{.Kubeconfig}}", "--gang-scheduling=berth", "--lock-namespace=default"},
		},
		{
			Title:       "training-operator",
			Release:     localcluster.Release{Name: "training", Module: "github.com/kubeflow/training-operator", Version: "v1.9.3", Package: "./cmd/training-operator.v1"},
			Definitions: []string{"manifests/base/crds/kubeflow.org_*.yaml"},
			Webhooks:    []string{"manifests/base/webhook/manifests.yaml"},
			Foreign:     []string{"scheduler-plugins"},
			// It makes certificates of its own, keeps them in a secret, and waits until that is
			// mounted; its webhooks, which it looks for under another name, have those of the
			// cluster.
			Secrets: []string{"kubeflow/training-operator-webhook-cert"},
			Mounted: []string{"/tmp/k8s-webhook-server/serving-certs/tls.crt"},
			Env:     []string{"TMPDIR={{.Temporary}}"},
			Args: []string{"--kubeconfig={{.Kubeconfig}}", "--gang-scheduler-name=berth", "--webhook-server-port={{.WebhookPort}}",
				"--metrics-bind-address=0", "--health-probe-bind-address=0"},
		},
		{
			Title:       "Kubeflow Trainer",
			Release:     localcluster.Release{Name: "trainer", Module: "github.com/kubeflow/trainer/v2", Version: "v2.2.0", Package: "./cmd/trainer-controller-manager"},
			Definitions: []string{"manifests/base/crds/trainer*.yaml"},
			Webhooks:    []string{"manifests/base/webhook/manifests.yaml"},
			Foreign:     []string{"scheduler-plugins"},
			Needs:       []string{"jobset"},
			Config: `
apiVersion: config.trainer.kubeflow.org/v1alpha1
kind: Configuration
leaderElection: {leaderElect: false}
certManagement: {enable: false}
webhook: {port: {{.WebhookPort}}, host: 127.0.0.1}
metrics: {bindAddress: "0"}
health: {healthProbeBindAddress: "0"}
`,
			Env:  []string{"TMPDIR={{.Temporary}}"},
			Args: []string{"--kubeconfig={{.Kubeconfig}}", "--config={{.Config}}"},
		},
	}
}
