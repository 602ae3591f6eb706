package dialect

import (
	"testing"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// An owner that makes pods one after another is told what to change, where the gang waits for
// those that it makes later.
func TestSequence(t *testing.T) {
	for _, test := range []struct {
		name    string
		dialect gang.Dialect
		size    int64
		owners  []string
		want    string
	}{
		{"stateful set", Owner, 4, []string{"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 4}}"},
			`StatefulSet "ns/train" makes a pod only once the one before it runs; make it again with podManagementPolicy: Parallel`},
		{"stateful set that says so", Berth, 4, []string{"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 4, podManagementPolicy: OrderedReady}}"},
			`StatefulSet "ns/train" makes a pod only once the one before it runs; make it again with podManagementPolicy: Parallel`},
		{"stateful set of many at once", Owner, 4, []string{"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 4, podManagementPolicy: Parallel}}"}, ""},
		{"stateful set of one", Berth, 4, []string{"{apiVersion: apps/v1, kind: StatefulSet}"}, ""},
		{"stateful set that cannot be read", Owner, 4, []string{"?{apiVersion: apps/v1, kind: StatefulSet}"}, ""},
		{"job of fewer at a time", Owner, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {parallelism: 2, completions: 8}}"},
			`Job "ns/train" has 2 pods at a time; set parallelism to the size of the gang`},
		{"job of one", Owner, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {completions: 4}}"},
			`Job "ns/train" has 1 pods at a time; set parallelism to the size of the gang`},
		{"job of fewer in all", Owner, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {parallelism: 4, completions: 2}}"},
			`Job "ns/train" has 2 pods in all; set completions to the size of the gang, or make that smaller`},
		{"job of enough", Owner, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {parallelism: 4, completions: 8}}"}, ""},
		{"job that is one of several", Berth, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {parallelism: 2}}"}, ""},
		{"job set in order", Berth, 4, []string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {startupPolicy: {startupPolicyOrder: InOrder}}}"},
			`JobSet "ns/train" starts its jobs one after another; set startupPolicy.startupPolicyOrder: AnyOrder, or name no gang on its pods: each replicated job is one`},
		{"job set whose jobs depend", SchedulerPlugins, 4, []string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {replicatedJobs: [{name: a}, {name: b, dependsOn: [{name: a, status: Complete}]}]}}"},
			`JobSet "ns/train" starts replicated job "b" only after another; take its dependsOn away, or name no gang on its pods: each replicated job is one`},
		{"job set's own gangs", JobSet, 4, []string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {startupPolicy: {startupPolicyOrder: InOrder}}}"}, ""},
		{"job set in any order", Berth, 4, []string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {startupPolicy: {startupPolicyOrder: AnyOrder}}}"}, ""},
		{"leader first", Berth, 4, []string{"{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {startupPolicy: LeaderReady}}"},
			`LeaderWorkerSet "ns/train" makes the workers of a group only once its leader is ready; set startupPolicy: LeaderCreated, or name no gang on its pods: each group is one`},
		{"leader and workers", Berth, 4, []string{"{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {startupPolicy: LeaderCreated}}"}, ""},
		{"groups' own gangs", LeaderWorkerSet, 4, []string{"{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {startupPolicy: LeaderReady}}"}, ""},
		{"launcher last", SchedulerPlugins, 5, []string{"{apiVersion: kubeflow.org/v2beta1, kind: MPIJob, spec: {launcherCreationPolicy: WaitForWorkersReady}}"},
			`MPIJob "ns/train" makes its launcher only once its workers run; set launcherCreationPolicy: AtStartup, or runPolicy.schedulingPolicy.minAvailable to the number of workers`},
		{"launcher at once", SchedulerPlugins, 5, []string{anMPIJob}, ""},
		{"deployment", Owner, 4, []string{aReplicaSet, aDeployment}, ""},
		{"nobody", Berth, 4, nil, ""},
		{"fields of a wrong type", Owner, 4, []string{"{apiVersion: batch/v1, kind: Job, spec: {parallelism: many}}"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var owners []OwnerObject
			for _, text := range test.owners {
				owners = append(owners, ownerOf(t, text))
			}
			if got := SequenceOf(owners, test.dialect).Why(test.size); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
