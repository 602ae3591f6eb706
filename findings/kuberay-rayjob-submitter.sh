#!/usr/bin/env bash
# KubeRay puts the pod that submits a RayJob into the PodGroup, and does not count it.
#
# What:    github.com/ray-project/kuberay/ray-operator v1.6.0, the batch scheduler "volcano"
#          (operator flag --batch-scheduler=volcano), a RayJob with a submitter pod of its own.
# Guess:   minMember of the PodGroup is how many pods name it; or the pod that submits the job,
#          which is made once the cluster runs, names no PodGroup.
# Seen:    1 head and 6 workers: minMember is 7, and 8 pods name the PodGroup. minResources has
#          what all 8 ask for: 7 CPUs of the cluster and 0.5 of the submitter.
# Matters: to a gang scheduler the job has one member to spare. It may evict a worker and call the
#          gang whole, for the submitter stands in the worker's place.
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
	"github.com/ray-project/kuberay/ray-operator/controllers/ray/batchscheduler/volcano"
	"github.com/ray-project/kuberay/ray-operator/controllers/ray/common"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// template is that of a pod of a cluster, of one CPU.
func template(name string) corev1.PodTemplateSpec {
	one := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: name, Image: "none", Resources: corev1.ResourceRequirements{Requests: one, Limits: one},
	}}}}
}

func run() (string, error) {
	ctx, scheme := context.Background(), runtime.NewScheme()
	if err := rayv1.AddToScheme(scheme); err != nil {
		return "", err
	}
	factory := &volcano.VolcanoBatchSchedulerFactory{}
	factory.AddToScheme(scheme)
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	scheduler, err := factory.New(ctx, nil, c)
	if err != nil {
		return "", err
	}
	workers, least, most := int32(6), int32(0), int32(10)
	job := &rayv1.RayJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: "ray.io/v1", Kind: "RayJob"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "train", UID: "1"},
		Spec: rayv1.RayJobSpec{
			SubmissionMode: rayv1.K8sJobMode,
			RayClusterSpec: &rayv1.RayClusterSpec{
				HeadGroupSpec:    rayv1.HeadGroupSpec{Template: template("head")},
				WorkerGroupSpecs: []rayv1.WorkerGroupSpec{{GroupName: "workers", Replicas: &workers, MinReplicas: &least, MaxReplicas: &most, NumOfHosts: 1, Template: template("worker")}},
			},
		},
	}
	if err := scheduler.DoBatchSchedulingOnSubmission(ctx, job); err != nil {
		return "", err
	}
	// As createK8sJobIfNeed does to the pod that submits the job.
	submitter := common.GetSubmitterTemplate(&job.Spec, job.Spec.RayClusterSpec)
	scheduler.AddMetadataToChildResource(ctx, job, &submitter, "submittergroup")

	groups := &unstructured.UnstructuredList{}
	groups.SetAPIVersion("scheduling.volcano.sh/v1beta1")
	groups.SetKind("PodGroupList")
	if err := c.List(ctx, groups, client.InNamespace("default")); err != nil {
		return "", err
	}
	if len(groups.Items) != 1 {
		return "", fmt.Errorf("there are %d PodGroups", len(groups.Items))
	}
	group := groups.Items[0]
	members, _, err := unstructured.NestedInt64(group.Object, "spec", "minMember")
	if err != nil {
		return "", err
	}
	cpu, _, err := unstructured.NestedString(group.Object, "spec", "minResources", "cpu")
	if err != nil {
		return "", err
	}
	in := submitter.Annotations["scheduling.k8s.io/group-name"] == group.GetName()
	return fmt.Sprintf("minMember %d, minResources cpu %s; the submitter is in the group: %t, its scheduler: %s", members, cpu, in, submitter.Spec.SchedulerName), nil
}

func main() {
	got, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(got)
	if want := "minMember 7, minResources cpu 7500m; the submitter is in the group: true, its scheduler: volcano"; got != want {
		fmt.Fprintf(os.Stderr, "it was, when this was written: %s\n", want)
		os.Exit(1)
	}
}
GO

go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go list -m github.com/ray-project/kuberay/ray-operator
go run .
