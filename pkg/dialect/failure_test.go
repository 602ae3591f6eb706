package dialect

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestLossOf(t *testing.T) {
	const ignore = `podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}`
	jobSet := func(job, policy string) string {
		return `{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {` + policy + `
			replicatedJobs: [{name: driver, template: {spec: {}}}, {name: workers, template: {spec: {` + job + `}}}]},
			status: {restarts: 2, restartsCountTowardsMax: 1}}`
	}
	lws := func(policy string) string {
		return `{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {leaderWorkerTemplate: {` + policy + `}}}`
	}
	volcano := func(task, job string) string {
		return `{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, spec: {` + job + ` tasks: [{name: ps}, {name: worker, ` + task + `}]}, status: {retryCount: 1}}`
	}
	for _, tc := range []struct {
		name, owner, role string
		want              Loss
		unknown           bool
	}{
		{name: "a Job counts its failed pods", owner: `{apiVersion: batch/v1, kind: Job, spec: {}, status: {failed: 4}}`, want: Loss{ReachPod, 2}},
		{name: "a Job that has none left", owner: `{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 2}, status: {failed: 2}}`, want: Loss{ReachOwner, 0}},
		{name: "a Job without retries", owner: `{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 0}}`, want: Loss{ReachOwner, 0}},
		{name: "a Job that ignores evictions", owner: `{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 0, ` + ignore + `}}`, want: Loss{ReachPod, Endless}},
		{name: "a Job that counts evictions, and ignores later",
			owner: `{apiVersion: batch/v1, kind: Job, spec: {podFailurePolicy: {rules: [{action: FailJob, onPodConditions: [{type: DisruptionTarget, status: "True"}]},
				{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}}}`, want: Loss{ReachOwner, 0}},
		{name: "a Job that counts by index", owner: `{apiVersion: batch/v1, kind: Job, spec: {backoffLimitPerIndex: 1}, status: {failed: 9}}`, want: Loss{ReachPod, 1}},

		{name: "a JobSet whose Jobs retry", owner: jobSet("", "failurePolicy: {maxRestarts: 3},"), role: "workers", want: Loss{ReachPod, 6}},
		{name: "a JobSet that restarts", owner: jobSet("backoffLimit: 0", "failurePolicy: {maxRestarts: 3},"), role: "workers", want: Loss{ReachOwner, 2}},
		{name: "a JobSet, of another role", owner: jobSet("backoffLimit: 0", "failurePolicy: {maxRestarts: 3},"), role: "driver", want: Loss{ReachPod, 6}},
		{name: "a JobSet, of any role", owner: jobSet("backoffLimit: 0", "failurePolicy: {maxRestarts: 3},"), want: Loss{ReachOwner, 2}},
		{name: "a JobSet without a policy", owner: jobSet("backoffLimit: 0", ""), role: "workers", want: Loss{ReachOwner, 0}},
		{name: "a JobSet that ignores evictions", owner: jobSet("backoffLimit: 0, "+ignore, ""), role: "workers", want: Loss{ReachPod, Endless}},
		{name: "a JobSet that does not count", role: "workers", want: Loss{ReachOwner, Endless},
			owner: jobSet("backoffLimit: 0", "failurePolicy: {rules: [{action: FailJobSet, targetReplicatedJobs: [driver]}, {action: RestartJobSetAndIgnoreMaxRestarts, onJobFailureReasons: [BackoffLimitExceeded]}]},")},
		{name: "a JobSet that fails with a job", role: "workers", want: Loss{ReachOwner, 0},
			owner: jobSet("backoffLimit: 0", "failurePolicy: {maxRestarts: 9, rules: [{action: FailJobSet}]},")},
		{name: "a JobSet, first rule for another reason", role: "workers", want: Loss{ReachOwner, 8},
			owner: jobSet("backoffLimit: 0", "failurePolicy: {maxRestarts: 9, rules: [{action: FailJobSet, onJobFailureReasons: [DeadlineExceeded]}]},")},

		{name: "a group", owner: lws(""), role: "worker", want: Loss{ReachGroup, Endless}},
		{name: "a worker that is replaced alone", owner: lws("restartPolicy: None"), role: "worker", want: Loss{ReachPod, Endless}},
		{name: "a leader takes its workers along", owner: lws("restartPolicy: None"), role: "leader", want: Loss{ReachGroup, Endless}},

		{name: "a Volcano Job without policies", owner: volcano("", ""), role: "worker", want: Loss{ReachPod, Endless}},
		{name: "a Volcano Job that restarts", owner: volcano("", "policies: [{event: PodEvicted, action: RestartJob}],"), role: "worker", want: Loss{ReachOwner, 1}},
		{name: "a Volcano Job with more retries", owner: volcano("", `maxRetry: 9, policies: [{events: [TaskCompleted, "*"], action: RestartJob}],`), role: "worker", want: Loss{ReachOwner, 7}},
		{name: "a task that says otherwise", owner: volcano("policies: [{event: PodFailed, action: RestartTask}]", "policies: [{event: PodEvicted, action: AbortJob}],"), role: "worker", want: Loss{ReachGroup, 1}},
		{name: "a pod that is started again counts", owner: volcano("", "policies: [{event: PodEvicted, action: RestartPod}],"), role: "worker", want: Loss{ReachPod, 1}},
		{name: "another task of it", owner: volcano("policies: [{event: PodFailed, action: RestartTask}]", "policies: [{event: PodEvicted, action: AbortJob}],"), role: "ps", want: Loss{ReachOwner, 0}},

		{name: "a Deployment", owner: `{apiVersion: apps/v1, kind: Deployment}`, unknown: true},
		{name: "nonsense", owner: `{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: many}}`, unknown: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			owner := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tc.owner), &owner.Object); err != nil {
				t.Fatal(err)
			}
			got, ok := LossOf(owner, tc.role)
			if ok == tc.unknown || got != tc.want {
				t.Errorf("LossOf = %+v, %t; want %+v, %t", got, ok, tc.want, !tc.unknown)
			}
		})
	}
}
