package dialect

import (
	"fmt"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Sequence is how the owners of a gang make its pods, where they do not make all of them before
// one runs. The zero value is that of owners who do, as far as is known.
type Sequence struct {
	// Text says how, and what to change: a sentence that names the owner.
	Text string
	// Most is how many pods there are at once, whatever becomes of them; 0 if that depends.
	Most int64
}

// Why says, for a gang of a size that waits for pods, why they do not come; "" if the owners have
// nothing to do with it.
func (s Sequence) Why(size int64) string {
	if s.Most >= size {
		return ""
	}
	return s.Text
}

// sequences are the kinds that may make pods one after another, as their spec says. Gangs of the
// dialect own are left out: they are derived from the owner, and of no more pods than it makes at
// once.
//
// Sources: apps/v1 and batch/v1 of Kubernetes 1.37; jobset v0.11.1 api/jobset/v1alpha2; lws v0.8.0
// api/leaderworkerset/v1; mpi-operator v0.8.0 pkg/apis/kubeflow/v2beta1 and
// pkg/controller/podgroup.go.
var sequences = [...]struct {
	kind string
	own  gang.Dialect
	// says reads the spec of an owner of pods of a gang of a dialect.
	says func(spec node, of gang.Dialect) Sequence
}{
	{"StatefulSet.apps", "", func(spec node, _ gang.Dialect) Sequence {
		if spec.text("podManagementPolicy") == "Parallel" || integerOr(spec.integer("replicas"), 1) < 2 {
			return Sequence{}
		}
		// The policy cannot be changed.
		return Sequence{Text: "makes a pod only once the one before it runs; make it again with podManagementPolicy: Parallel"}
	}},
	{"Job.batch", "", jobSequence},
	{"JobSet.jobset.x-k8s.io", JobSet, jobSetSequence},
	{"LeaderWorkerSet.leaderworkerset.x-k8s.io", LeaderWorkerSet, func(spec node, _ gang.Dialect) Sequence {
		if spec.text("startupPolicy") != "LeaderReady" {
			return Sequence{}
		}
		return Sequence{Text: "makes the workers of a group only once its leader is ready; set startupPolicy: LeaderCreated, or name no gang on its pods: each group is one"}
	}},
	{"MPIJob.kubeflow.org", "", func(spec node, _ gang.Dialect) Sequence {
		if spec.text("launcherCreationPolicy") != "WaitForWorkersReady" {
			return Sequence{}
		}
		return Sequence{Text: "makes its launcher only once its workers run; set launcherCreationPolicy: AtStartup, or runPolicy.schedulingPolicy.minAvailable to the number of workers"}
	}},
}

// jobSequence: a Job has min(parallelism, completions) pods at once. A gang that is named on pods
// may be of several Jobs.
func jobSequence(spec node, of gang.Dialect) Sequence {
	parallelism := integerOr(spec.integer("parallelism"), 1)
	completions := spec.integer("completions")
	switch {
	case of != Owner || spec.fault != nil:
		return Sequence{}
	case completions != nil && *completions <= parallelism:
		return Sequence{Most: *completions, Text: fmt.Sprintf("has %d pods in all; set completions to the size of the gang, or make that smaller", *completions)}
	}
	return Sequence{Most: parallelism, Text: fmt.Sprintf("has %d pods at a time; set parallelism to the size of the gang", parallelism)}
}

func jobSetSequence(spec node, _ gang.Dialect) Sequence {
	const instead = "or name no gang on its pods: each replicated job is one"
	if spec.object("startupPolicy").text("startupPolicyOrder") == "InOrder" {
		return Sequence{Text: "starts its jobs one after another; set startupPolicy.startupPolicyOrder: AnyOrder, " + instead}
	}
	for _, job := range spec.list("replicatedJobs") {
		if len(job.list("dependsOn")) > 0 {
			return Sequence{Text: fmt.Sprintf("starts replicated job %q only after another; take its dependsOn away, %s", clip(job.text("name")), instead)}
		}
	}
	return Sequence{}
}

// SequenceOf returns how owners, from the nearest, make the pods of a gang of a dialect: as the
// first of them says that does not make them all at once.
func SequenceOf(owners []OwnerObject, of gang.Dialect) Sequence {
	for _, o := range owners {
		for _, s := range sequences {
			if s.kind != o.groupKind() || s.own != "" && s.own == of || o.Object == nil {
				continue
			}
			if said := s.says(newReader(o.Object, o.Kind).root(o.Object).object("spec"), of); said.Text != "" {
				said.Text = o.String() + " " + said.Text
				return said
			}
		}
	}
	return Sequence{}
}
