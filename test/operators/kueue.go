package operators

import (
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/localcluster"
)

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
integrations: {frameworks: [batch/job, pod, jobset.x-k8s.io/jobset, ray.io/raycluster]}
`,
		Args: []string{"--kubeconfig={{.Kubeconfig}}", "--config={{.Config}}", "--feature-gates=VisibilityOnDemand=false"},
	}
	elastic := slices.Concat(kueue.Args[:len(kueue.Args)-1], []string{"--feature-gates=VisibilityOnDemand=false,ElasticJobsViaWorkloadSlices=true"})
	var out []Operator
	for _, column := range [...]struct {
		title, scenario, needs string
	}{
		{"Kueue, Job", "kueue-job", ""},
		{"Kueue, Job with topology", "kueue-job-topology", ""},
		{"Kueue, pod group", "kueue-pods", ""},
		{"Kueue, pod group with topology", "kueue-pods-topology", ""},
		{"Kueue, JobSet", "kueue-jobset", "jobset"},
		{"Kueue, RayCluster", "kueue-raycluster", "kuberay"},
		{"Kueue, RayCluster with topology", "kueue-raycluster-topology", "kuberay"},
		{"Kueue, elastic RayCluster", "kueue-raycluster-elastic", "kuberay"},
	} {
		o := kueue
		o.Title, o.Script = column.title, column.scenario
		if strings.HasSuffix(column.scenario, "-elastic") {
			o.Args = elastic
		}
		if column.needs != "" {
			needed := neededBy(column.needs)
			o.Needs, o.Foreign, o.Schedulers = []string{column.needs}, needed.Foreign, needed.Schedulers
		}
		out = append(out, o)
	}
	return out
}

// neededBy returns the operator of a name, which is none of Kueue's.
func neededBy(name string) Operator {
	all := slices.Concat(released(), rays())
	return all[slices.IndexFunc(all, func(o Operator) bool { return o.Name() == name })]
}
