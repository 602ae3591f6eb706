package operators

import (
	"fmt"
	"slices"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// An Operator is a program that makes pods for objects of its own kinds.
type Operator struct {
	// Title is the name that users know. Script is the name of the scenario; that of the
	// release if it is empty.
	Title, Script string
	Release       localcluster.Release
	// Definitions are files of custom resource definitions, and Webhooks those of webhook
	// configurations: patterns, from the root of the module.
	Definitions, Webhooks []string
	// Selected are labels that a pod needs for a webhook on pods to be asked; any of them.
	Selected []string
	// Foreign are definitions of other projects that the operator writes objects of, by their
	// names in test/integration/testdata/definitions.
	Foreign []string
	// Needs are other operators, by the names of their releases, whose definitions are
	// installed, and which run beside it.
	Needs []string
	// Converts are definitions in which the operator looks for a webhook that converts
	// objects, and Secrets those in which it keeps certificates: namespace/name.
	Converts, Secrets []string
	// Mounted are files that the operator waits for at a place that it cannot be told. They
	// may be empty, and are made if need be.
	Mounted []string
	// Config is the configuration file, Env are variables of the environment, and Args are the
	// arguments: templates over Place.
	Config string
	Env    []string
	Args   []string
	// Server are the arguments of a second process of the program, where its webhooks are one
	// of their own. Host is the name of this machine that the operator makes certificates for,
	// if it makes those of its webhooks itself; it puts them into their configurations.
	Server []string
	Host   string
	// Played is a program of this repository that plays what the operator needs and what
	// cannot be had here; nil if nothing is played.
	Played *Played
	// Schedulers are names, beside berth, that pods have in spec.schedulerName.
	Schedulers []string
	// Builtin says that kube-controller-manager does what the operator does.
	Builtin bool
	// Common says that the integration tests play the scenario too.
	Common bool
}

// Played is a program that plays what an operator needs. It is built as bin/Name in the
// operator's directory, [Place.Temporary], and runs beside the operator, with the same
// environment, until that is removed.
type Played struct {
	// Package is the import path, and Args are the arguments.
	Package, Name string
	Args          []string
}

// All returns the operators, in the order in which they are played.
func All() []Operator {
	return slices.Concat(builtins(), released(), rays(), volcanos(), kubeflow(), sparks(), kueues())
}

// Name is the operator's among all: that of its scenario.
func (o Operator) Name() string {
	if o.Script != "" {
		return o.Script
	}
	return o.Release.Name
}

// named returns the operator of a name.
func named(name string) (Operator, error) {
	for _, o := range All() {
		if o.Name() == name {
			return o, nil
		}
	}
	return Operator{}, fmt.Errorf("there is no operator %q", name)
}

// released are those that are built from their modules.
func released() []Operator {
	return []Operator{
		{
			Title:       "JobSet",
			Release:     localcluster.Release{Name: "jobset", Module: "sigs.k8s.io/jobset", Version: "v0.11.1", Package: "."},
			Definitions: []string{"config/components/crd/bases/*.yaml"},
			Webhooks:    []string{"config/components/webhook/manifests.yaml"},
			Selected:    []string{"jobset.sigs.k8s.io/jobset-name"},
			Config: `
apiVersion: config.jobset.x-k8s.io/v1alpha1
kind: Configuration
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
webhook: {port: {{.WebhookPort}}, host: 127.0.0.1, certDir: {{.Certificates}}}
metrics: {bindAddress: "0", certDir: {{.Certificates}}}
health: {healthProbeBindAddress: "0"}
`,
			Args:   []string{"--kubeconfig={{.Kubeconfig}}", "--config={{.Config}}", "--metrics-bind-address=0", "--health-probe-bind-address=0"},
			Common: true,
		},
		{
			Title:       "LeaderWorkerSet",
			Release:     localcluster.Release{Name: "lws", Module: "sigs.k8s.io/lws", Version: "v0.8.0", Package: "./cmd"},
			Definitions: []string{"config/crd/bases/*.yaml"},
			Webhooks:    []string{"config/webhook/manifests.yaml"},
			Selected:    []string{"leaderworkerset.sigs.k8s.io/name"},
			Config: `
apiVersion: config.lws.x-k8s.io/v1alpha1
kind: Configuration
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
webhook: {port: {{.WebhookPort}}, host: 127.0.0.1, certDir: {{.Certificates}}}
metrics: {bindAddress: "0"}
health: {healthProbeBindAddress: "0"}
`,
			Args:   []string{"--kubeconfig={{.Kubeconfig}}", "--config={{.Config}}", "--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"},
			Common: true,
		},
	}
}
