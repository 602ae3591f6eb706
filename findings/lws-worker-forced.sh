#!/usr/bin/env bash
# LeaderWorkerSet does not make a group again when one of its workers is deleted by force.
#
# What:    sigs.k8s.io/lws v0.8.0, the reconciler of pods, of a LeaderWorkerSet with
#          restartPolicy: RecreateGroupOnPodRestart, which is the default.
# Guess:   a worker that is deleted takes its group along, however it is deleted: the leader is
#          deleted, and with it the other workers.
# Seen:    the reconciler goes by the deletion timestamp of the worker that it reads. With a grace
#          period it finds one, and deletes the leader. A worker that is gone at once (grace
#          period 0, a node whose pods are force deleted, any deletion that is over before the
#          reconciler reads) is not found, or found again as its StatefulSet has remade it: the
#          leader stays, and the new worker joins processes that began without it.
# Matters: whoever evicts or tests with grace period 0 sees groups that are half old and half
#          new. A scheduler that replaces single members has to be right for them as well.
#
# Needs Go and a module proxy. Everything is made in a temporary folder.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

cat >go.mod <<'MOD'
module example.com/finding

go 1.25.0

require sigs.k8s.io/lws v0.8.0
MOD

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"
	"sigs.k8s.io/lws/pkg/controllers"
)

// member is a pod of group 0: the leader, or a worker.
func member(name, index string, uid types.UID) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: uid, Labels: map[string]string{
		lwsv1.SetNameLabelKey: "serve", lwsv1.GroupIndexLabelKey: "0", lwsv1.WorkerIndexLabelKey: index, lwsv1.RevisionKey: "1",
	}}}
	pod.Status.Phase = corev1.PodRunning
	return pod
}

// leaderStays deletes a worker, has the reconciler look at it, has the worker made again as its
// StatefulSet does, has the reconciler look once more, and reports whether the leader is left.
func leaderStays(force bool) (bool, error) {
	ctx, scheme := context.Background(), runtime.NewScheme()
	if err := clientscheme.AddToScheme(scheme); err != nil {
		return false, err
	}
	if err := lwsv1.AddToScheme(scheme); err != nil {
		return false, err
	}
	size := int32(3)
	set := &lwsv1.LeaderWorkerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "serve", UID: "set"}}
	set.Spec.LeaderWorkerTemplate.Size = &size
	set.Spec.LeaderWorkerTemplate.RestartPolicy = lwsv1.RecreateGroupOnPodRestart
	worker := member("serve-0-1", "1", "first")
	if !force {
		// It stands for the kubelet, which lets the pod be until its containers have ended.
		worker.Finalizers = []string{"example.com/kubelet"}
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(set, member("serve-0", "0", "leader"), worker, member("serve-0-2", "2", "other")).Build()
	reconciler := controllers.NewPodReconciler(c, scheme, record.NewFakeRecorder(100), nil)
	look := func() error {
		_, err := reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(worker)})
		return err
	}
	if err := look(); err != nil {
		return false, err
	}
	if err := c.Delete(ctx, worker); err != nil {
		return false, err
	}
	if err := look(); err != nil {
		return false, err
	}
	if force {
		if err := c.Create(ctx, member("serve-0-1", "1", "second")); err != nil {
			return false, err
		}
		if err := look(); err != nil {
			return false, err
		}
	}
	err := c.Get(ctx, types.NamespacedName{Namespace: "default", Name: "serve-0"}, &corev1.Pod{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func main() {
	for _, one := range []struct {
		name        string
		force, want bool
	}{{"with a grace period", false, false}, {"by force", true, true}} {
		stays, err := leaderStays(one.force)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", one.name, err)
			os.Exit(1)
		}
		fmt.Printf("a worker is deleted %s: the leader stays: %t\n", one.name, stays)
		if stays != one.want {
			fmt.Fprintf(os.Stderr, "%s: it was %t when this was written\n", one.name, one.want)
			os.Exit(1)
		}
	}
}
GO

go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go list -m sigs.k8s.io/lws
go run . 2>run.log || { cat run.log >&2; exit 1; }
