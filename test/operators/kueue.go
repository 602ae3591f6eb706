package operators

import "github.com/berth-dev/berth/pkg/localcluster"

// kueues are the columns of Kueue, which decides when its workloads may run, and with
// topology-aware scheduling on which nodes. Its webhooks run; the visibility server does not.
func kueues() []Operator {
	kueue := Operator{
		Release:     localcluster.Release{Name: "kueue", Module: "sigs.k8s.io/kueue", Version: "v0.17.0", Package: "./cmd/kueue"},
		Definitions: []string{"config/components/crd/bases/*.yaml"},
		Webhooks:    []string{"config/components/webhook/manifests.yaml"},
		// Without certificates of its own it reads some from a directory of the system. It
		// keeps these in a secret and puts them into its definitions; its webhooks, which it
		// looks for under another name, have those of the cluster.
		Secrets: []string{"kueue-system/kueue-webhook-server-cert"},
		Converts: []string{
			"localqueues.kueue.x-k8s.io", "clusterqueues.kueue.x-k8s.io", "workloads.kueue.x-k8s.io",
			"cohorts.kueue.x-k8s.io", "multikueueclusters.kueue.x-k8s.io",
		},
		Config: `
apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
namespace: kueue-system
leaderElection: {leaderElect: false}
internalCertManagement: {enable: true, webhookServiceName: unused-webhook-service}
webhook: {port: {{.WebhookPort}}, host: 127.0.0.1, certDir: {{.Certificates}}}
metrics: {bindAddress: "0"}
health: {healthProbeBindAddress: "0"}
integrations: {frameworks: [batch/job, pod, jobset.x-k8s.io/jobset]}
`,
		Args: []string{"--kubeconfig={{.Kubeconfig}}", "--config={{.Config}}", "--feature-gates=VisibilityOnDemand=false"},
	}
	var out []Operator
	for _, column := range [...]struct {
		title, scenario string
		needs           []string
	}{
		{"Kueue, Job", "kueue-job", nil},
		{"Kueue, Job with topology", "kueue-job-topology", nil},
		{"Kueue, pod group", "kueue-pods", nil},
		{"Kueue, pod group with topology", "kueue-pods-topology", nil},
		{"Kueue, JobSet", "kueue-jobset", []string{"jobset"}},
	} {
		o := kueue
		o.Title, o.Script, o.Needs = column.title, column.scenario, column.needs
		out = append(out, o)
	}
	return out
}
