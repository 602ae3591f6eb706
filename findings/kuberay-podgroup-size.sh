#!/usr/bin/env bash
# KubeRay makes the PodGroup of a RayCluster once: its size does not follow the cluster.
#
# What:    github.com/ray-project/kuberay/ray-operator v1.6.0, the batch scheduler
#          "scheduler-plugins" (operator flag --batch-scheduler=scheduler-plugins).
# Guess:   the operator calls its batch scheduler at each reconciliation, so after a
#          RayCluster was scaled down, the least number of members of its PodGroup is that of
#          the smaller cluster. Its batch scheduler "volcano" does just that.
# Seen:    with "scheduler-plugins" the PodGroup keeps the first number for good: 1 head and
#          6 workers are 7, and 1 head and 2 workers are still 7. "volcano" goes from 7 to 3.
# Matters: a gang scheduler that goes by minMember never again places a pod of a cluster that
#          was scaled down: its 3 pods are fewer than 7.
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

require github.com/ray-project/kuberay/ray-operator v1.6.0
MOD

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	rayv1 "github.com/ray-project/kuberay/ray-operator/apis/ray/v1"
	batchscheduler "github.com/ray-project/kuberay/ray-operator/controllers/ray/batchscheduler/interface"
	schedulerplugins "github.com/ray-project/kuberay/ray-operator/controllers/ray/batchscheduler/scheduler-plugins"
	"github.com/ray-project/kuberay/ray-operator/controllers/ray/batchscheduler/volcano"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// sizes returns the least number of members of the PodGroups, with 6 workers and then with 2.
func sizes(factory batchscheduler.BatchSchedulerFactory, apiVersion string) ([]int64, error) {
	ctx, scheme := context.Background(), runtime.NewScheme()
	if err := rayv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	factory.AddToScheme(scheme)
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	scheduler, err := factory.New(ctx, nil, c)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, workers := range []int32{6, 2} {
		least, most := int32(0), int32(10)
		cluster := &rayv1.RayCluster{
			TypeMeta:   metav1.TypeMeta{APIVersion: "ray.io/v1", Kind: "RayCluster"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cluster", UID: "1", Labels: map[string]string{"ray.io/gang-scheduling-enabled": "true"}},
		}
		cluster.Spec.WorkerGroupSpecs = []rayv1.WorkerGroupSpec{{GroupName: "workers", Replicas: &workers, MinReplicas: &least, MaxReplicas: &most, NumOfHosts: 1}}
		if err := scheduler.DoBatchSchedulingOnSubmission(ctx, cluster); err != nil {
			return nil, err
		}
		groups := &unstructured.UnstructuredList{}
		groups.SetAPIVersion(apiVersion)
		groups.SetKind("PodGroupList")
		if err := c.List(ctx, groups, client.InNamespace("default")); err != nil {
			return nil, err
		}
		if len(groups.Items) != 1 {
			return nil, fmt.Errorf("there are %d PodGroups", len(groups.Items))
		}
		size, _, err := unstructured.NestedInt64(groups.Items[0].Object, "spec", "minMember")
		if err != nil {
			return nil, err
		}
		out = append(out, size)
	}
	return out, nil
}

func main() {
	for _, one := range []struct {
		name, apiVersion string
		factory          batchscheduler.BatchSchedulerFactory
		want             string
	}{
		{"scheduler-plugins", "scheduling.x-k8s.io/v1alpha1", &schedulerplugins.KubeSchedulerFactory{}, "[7 7]"},
		{"volcano", "scheduling.volcano.sh/v1beta1", &volcano.VolcanoBatchSchedulerFactory{}, "[7 3]"},
	} {
		got, err := sizes(one.factory, one.apiVersion)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", one.name, err)
			os.Exit(1)
		}
		fmt.Printf("%s: minMember with 6 workers, then with 2: %v\n", one.name, got)
		if fmt.Sprint(got) != one.want {
			fmt.Fprintf(os.Stderr, "%s: it was %s when this was written\n", one.name, one.want)
			os.Exit(1)
		}
	}
}
GO

go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go list -m github.com/ray-project/kuberay/ray-operator
go run .
