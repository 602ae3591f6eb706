#!/usr/bin/env bash
# The PodGroup that the Spark operator makes is no gang, and counts no GPUs.
#
# What:    github.com/kubeflow/spark-operator/v2 v2.5.0, a SparkApplication with the batchScheduler
#          of a kube-scheduler with scheduler-plugins (--kube-scheduler-names).
# Guess:   the PodGroup has one member for the driver and for each executor, so that no pod runs
#          before all have a place; and its minResources are what these pods ask for.
# Seen:    minMember is 1, for one executor as for a hundred: the driver has to run before it can
#          make the executors, which are in the same PodGroup. minResources count processors and
#          memory, and leave out spec.driver.gpu and spec.executor.gpu.
# Matters: gang scheduling by minMember is none here. What is left is the sum of minResources: it
#          lets an application in whose processors are free and whose GPUs are not, and whose
#          executors then start one by one. (The operator's own Volcano support does the same.)
#
# Needs Go and a module proxy. Everything is made in a temporary folder.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

# The name of the module lets it use the operator's internal packages; the versions of Kubernetes
# are those that the operator replaces its own by.
cat >go.mod <<'MOD'
module github.com/kubeflow/spark-operator/v2/finding

go 1.24.10

require (
	github.com/kubeflow/spark-operator/v2 v2.5.0
	sigs.k8s.io/controller-runtime v0.20.4
	sigs.k8s.io/scheduler-plugins v0.32.7
)

replace (
	k8s.io/api => k8s.io/api v0.32.5
	k8s.io/apiextensions-apiserver => k8s.io/apiextensions-apiserver v0.32.5
	k8s.io/apimachinery => k8s.io/apimachinery v0.32.5
	k8s.io/apiserver => k8s.io/apiserver v0.32.5
	k8s.io/client-go => k8s.io/client-go v0.32.5
)
MOD

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/kubeflow/spark-operator/v2/api/v1beta2"
	"github.com/kubeflow/spark-operator/v2/internal/scheduler/kubescheduler"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	schedulingv1alpha1 "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"
)

// group returns the PodGroup of an application of so many executors.
func group(executors int32) (*schedulingv1alpha1.PodGroup, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta2.AddToScheme, schedulingv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	scheduler, err := kubescheduler.Factory(&kubescheduler.Config{SchedulerName: "scheduler-plugins-scheduler", Client: c})
	if err != nil {
		return nil, err
	}
	app := &v1beta2.SparkApplication{}
	app.Namespace, app.Name, app.UID = "default", "train", "1"
	cores, memory := int32(1), "1Gi"
	app.Spec.Driver.Cores, app.Spec.Driver.Memory = &cores, &memory
	app.Spec.Executor.Cores, app.Spec.Executor.Memory, app.Spec.Executor.Instances = &cores, &memory, &executors
	app.Spec.Executor.GPU = &v1beta2.GPUSpec{Name: "nvidia.com/gpu", Quantity: 8}
	if err := scheduler.Schedule(app); err != nil {
		return nil, err
	}
	groups := &schedulingv1alpha1.PodGroupList{}
	if err := c.List(context.Background(), groups); err != nil {
		return nil, err
	}
	if len(groups.Items) != 1 {
		return nil, fmt.Errorf("there are %d PodGroups", len(groups.Items))
	}
	return &groups.Items[0], nil
}

func main() {
	for _, executors := range []int32{1, 4, 100} {
		pg, err := group(executors)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		gpus := pg.Spec.MinResources["nvidia.com/gpu"]
		fmt.Printf("%d executors of 8 GPUs: minMember %d, minResources cpu %s, nvidia.com/gpu %s\n",
			executors, pg.Spec.MinMember, pg.Spec.MinResources.Cpu(), gpus.String())
		if pg.Spec.MinMember != 1 || !gpus.IsZero() || pg.Spec.MinResources.Cpu().Value() != int64(executors)+1 {
			fmt.Fprintln(os.Stderr, "changed: it was minMember 1, a processor for each pod, and no GPU when this was written")
			os.Exit(1)
		}
	}
}
GO

go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go list -m github.com/kubeflow/spark-operator/v2
go run .
