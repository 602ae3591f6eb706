package operators

import "github.com/berth-dev/berth/pkg/localcluster"

// sparks is the Spark operator. What is real is the operator, of two processes: the controller,
// which calls spark-submit, starts an application anew when its driver is lost, and suspends it;
// and the server of its webhooks, which gives drivers and executors their scheduler and their
// GPUs. What is played is Spark itself: spark-submit, which makes the driver's pod, and the
// driver's process, which makes the executors' (see test/operators/spark).
func sparks() []Operator {
	return []Operator{{
		Title:       "Spark operator",
		Release:     localcluster.Release{Name: "spark", Module: "github.com/kubeflow/spark-operator/v2", Version: "v2.5.0", Package: "./cmd/operator"},
		Definitions: []string{"config/crd/bases/*.yaml"},
		Webhooks:    []string{"config/webhook/manifests.yaml"},
		Selected:    []string{"sparkoperator.k8s.io/launched-by-spark-operator"},
		Secrets:     []string{"spark-operator/spark-operator-webhook-certs"},
		Host:        "localhost",
		Played:      &Played{Package: "github.com/berth-dev/berth/test/operators/spark", Name: "spark-submit", Args: []string{"drivers"}},
		// The operator writes the address of the API server into the arguments of spark-submit,
		// which goes by its KUBECONFIG here.
		Env: []string{"SPARK_HOME={{.Temporary}}", "KUBECONFIG={{.Kubeconfig}}", "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=443"},
		Args: []string{"controller", "start", "--kubeconfig={{.Kubeconfig}}", "--health-probe-bind-address=0",
			"--enable-batch-scheduler"},
		Server: []string{"webhook", "start", "--kubeconfig={{.Kubeconfig}}", "--health-probe-bind-address=0",
			"--webhook-port={{.WebhookPort}}", "--webhook-cert-dir={{.Certificates}}",
			"--mutating-webhook-name=spark-mutating-webhook-configuration", "--validating-webhook-name=spark-validating-webhook-configuration"},
	}}
}
