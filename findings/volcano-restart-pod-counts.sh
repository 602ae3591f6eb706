#!/usr/bin/env bash
# Volcano counts the restart of a single pod against maxRetry of the whole Job.
#
# What:    volcano.sh/volcano v1.15.1, the states of a Volcano Job
#          (pkg/controllers/job/state).
# Guess:   maxRetry of a Job is for restarts of the Job, as a task has a maxRetry of its own:
#          the policy RestartPod, which makes one pod anew and leaves the others alone, does not
#          count for the Job, or counts for that pod.
# Seen:    each RestartPod counts one for the Job. With maxRetry 3, the default, a Job of 64
#          pods in which three different pods were started again once is Failed.
# Matters: whoever evicts one pod after another of such a Job, or drains three of its nodes,
#          ends it for good: a scheduler that takes room back has to count the pods that it
#          evicts, and not the Job.
#
# Needs Go and a module proxy. Everything is made in a temporary folder.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

cat >go.mod <<'MOD'
module example.com/finding

go 1.25

require volcano.sh/volcano v1.15.1

// 1.15.1 is built with a folder of its repository in place of this module.
replace volcano.sh/apis => volcano.sh/apis v1.14.0
MOD

# Kubernetes' own modules have versions only where they are replaced.
for module in api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap \
	component-base component-helpers controller-manager cri-api cri-client csi-translation-lib dynamic-resource-allocation \
	endpointslice externaljwt kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics \
	mount-utils pod-security-admission sample-apiserver; do
	echo "replace k8s.io/$module => k8s.io/$module v0.35.3" >>go.mod
done

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	batch "volcano.sh/apis/pkg/apis/batch/v1alpha1"
	bus "volcano.sh/apis/pkg/apis/bus/v1alpha1"
	"volcano.sh/volcano/pkg/controllers/apis"
	"volcano.sh/volcano/pkg/controllers/job/state"
)

func main() {
	job := &batch.Job{Spec: batch.JobSpec{
		MinAvailable: 64, MaxRetry: 3, // what admission writes if nobody says it
		Tasks: []batch.TaskSpec{{Name: "worker", Replicas: 64}},
	}}
	job.Status.MinAvailable = 64
	info := &apis.JobInfo{Job: job}
	// The controller writes the status that the state asks for.
	apply := func(fn state.UpdateStatusFn) { fn(&job.Status) }
	killed := 0
	state.SyncJob = func(_ *apis.JobInfo, fn state.UpdateStatusFn) error { apply(fn); return nil }
	state.KillJob = func(_ *apis.JobInfo, _ state.PhaseMap, fn state.UpdateStatusFn) error { apply(fn); return nil }
	state.KillTarget = func(_ *apis.JobInfo, _ state.Target, fn state.UpdateStatusFn) error { killed++; apply(fn); return nil }

	for pod := 0; pod < 3; pod++ {
		job.Status.State.Phase = batch.Running
		target := state.Target{TaskName: "worker", PodName: fmt.Sprintf("train-worker-%d", pod), Type: state.TargetTypePod}
		for _, action := range []state.Action{{Action: bus.RestartPodAction, Target: target}, {Action: bus.SyncJobAction}} {
			if err := state.NewState(info).Execute(action); err != nil {
				fmt.Println("the state of the Job:", err)
				os.Exit(1)
			}
		}
		fmt.Printf("pod %d is started again: %d pod at a time, retryCount %d, the Job is %s\n", pod, killed/(pod+1), job.Status.RetryCount, job.Status.State.Phase)
	}
	if job.Status.RetryCount != 3 || job.Status.State.Phase != batch.Failed {
		fmt.Println("CHANGED: single pods no longer count against maxRetry of the Job")
		os.Exit(1)
	}
}
GO

go run .
echo "as seen with v1.15.1"
