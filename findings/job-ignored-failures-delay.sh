#!/usr/bin/env bash
# A Job that ignores evictions makes replacements late all the same, and later the more it lost.
#
# What:    the Job controller of k8s.io/kubernetes v1.37.2, and a Job whose podFailurePolicy has
#          the action Ignore for pods with the condition DisruptionTarget.
# Guess:   such a failure does not count, so the pod is replaced at once. The documentation says
#          that the counter of backoffLimit is not increased and that a replacement is made.
# Seen:    status.failed stays 0, but the controller's delay counts it: the replacement is made
#          10 s after the loss. Pods that are lost together count one by one: three at once, as
#          with a node, are replaced 40 s after. The delay doubles with each and ends at 10 min.
# Matters: whoever keeps room for the replacements of a gang that lost 7 pods with a rack waits
#          10 min for the first of them, though nothing is wrong with the gang.
#
# Needs Go and a module proxy. Everything is made in a temporary folder. Takes 40 s beside the build.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

go mod init example.com/finding 2>/dev/null
release=$(go mod download -json k8s.io/kubernetes@v1.37.2 | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
# The libraries that are a part of Kubernetes are released under versions of their own.
for library in $(sed -n 's|.*\(k8s.io/[a-z-]*\) => ./staging/.*|\1|p' "$release"); do
	go mod edit -replace "$library=$library@v0.37.2"
done
go mod edit -require k8s.io/kubernetes@v1.37.2

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubernetes/pkg/controller/job"
)

const size = 4

func jobOf(name string) *batchv1.Job {
	labels := map[string]string{"batch.kubernetes.io/controller-uid": name, "batch.kubernetes.io/job-name": name}
	n, limit, indexed, failed := int32(size), int32(0), batchv1.IndexedCompletion, batchv1.Failed
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name), CreationTimestamp: metav1.Now()},
		Spec: batchv1.JobSpec{
			Parallelism: &n, Completions: &n, BackoffLimit: &limit, CompletionMode: &indexed, PodReplacementPolicy: &failed,
			Suspend:  new(bool),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"batch.kubernetes.io/controller-uid": name}},
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action:          batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
			}}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "example.com/main"}}},
			},
		},
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	lost := map[string]int{"one": 1, "three": 3}
	var objects []runtime.Object
	for name := range lost {
		objects = append(objects, jobOf(name))
	}
	client := fake.NewClientset(objects...)
	// The API server names what has only a prefix of a name.
	var mu sync.Mutex
	var serial int
	made := map[string][]time.Time{}
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		pod := action.(clienttesting.CreateAction).GetObject().(*corev1.Pod)
		serial++
		pod.Name = fmt.Sprintf("%s%d", pod.GenerateName, serial)
		pod.UID, pod.CreationTimestamp, pod.Namespace = types.UID(pod.Name), metav1.Now(), "default"
		of := pod.Labels["batch.kubernetes.io/job-name"]
		made[of] = append(made[of], time.Now())
		return false, nil, nil
	})
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := job.NewController(ctx, client, factory.Core().V1().Pods(), factory.Batch().V1().Jobs(),
		factory.Scheduling().V1beta1().Workloads(), factory.Scheduling().V1beta1().PodGroups())
	if err != nil {
		panic(err)
	}
	factory.Start(ctx.Done())
	go controller.Run(ctx, 2)

	await := func(name string, n int) []time.Time {
		for {
			mu.Lock()
			found := append([]time.Time(nil), made[name]...)
			mu.Unlock()
			if len(found) >= n {
				return found
			}
			select {
			case <-ctx.Done():
				fmt.Printf("Job %s made %d of %d pods\n", name, len(found), n)
				os.Exit(1)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	pods := client.CoreV1().Pods("default")
	began := map[string]time.Time{}
	for name, n := range lost {
		await(name, size)
		list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + name})
		if err != nil {
			panic(err)
		}
		began[name] = time.Now()
		for i := range list.Items {
			pod := &list.Items[i]
			pod.Status.Phase = corev1.PodRunning
			if i < n {
				pod.Status.Phase = corev1.PodFailed
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"}}
				pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(began[name])},
				}}}
			}
			if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
				panic(err)
			}
		}
	}
	failed := false
	for name, want := range map[string]time.Duration{"one": 10 * time.Second, "three": 40 * time.Second} {
		after := await(name, size+1)[size].Sub(began[name])
		found, err := client.BatchV1().Jobs("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			panic(err)
		}
		fmt.Printf("Job that lost %d of %d pods: status.failed %d, replacement after %.0f s\n", lost[name], size, found.Status.Failed, after.Seconds())
		if found.Status.Failed != 0 || after < want-2*time.Second || after > want+3*time.Second {
			failed = true
		}
	}
	if failed {
		fmt.Println("CHANGED: expected 0 failures, and replacements after 10 s for one pod and 40 s for three")
		os.Exit(1)
	}
}
GO
go run .
