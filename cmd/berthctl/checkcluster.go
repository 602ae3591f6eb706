package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// Minor versions of Kubernetes 1: the one that Berth is built on, the oldest that its tests
// emulate, and the oldest that has all kinds of manifests/base.
const (
	builtOn        = 37
	oldestEmulated = 34
	oldestKinds    = 30
)

// schedulerLabel is on the Deployments of Berth, whoever installed them.
const schedulerLabel = "app.kubernetes.io/name=berth"

// version compares the API server with what Berth is built on.
func (in inspected) version(ctx context.Context) (finding, error) {
	info, err := discovery.ToDiscoveryInterfaceWithContext(in.kube.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return finding{}, err
	}
	// Some providers write 37+.
	minor, err := strconv.Atoi(strings.TrimRight(info.Minor, "+"))
	if err != nil {
		return finding{}, fmt.Errorf("the API server's version has no minor number: %q", info.GitVersion)
	}
	f := finding{Check: "version", Standing: standingOK, Found: fmt.Sprintf("API server %s, Berth is built on 1.%d", info.GitVersion, builtOn)}
	switch {
	case minor < oldestKinds:
		f.Standing, f.Do = standingFail, fmt.Sprintf("use an API server of 1.%d or newer: older ones lack kinds of manifests/base", oldestEmulated)
	case minor < oldestEmulated:
		f.Standing, f.Do = standingWarn, fmt.Sprintf("upgrade to 1.%d or newer: nothing older was tried, and ResourceClaims cannot be used", oldestEmulated)
	case minor < builtOn:
		f.Standing, f.Do = standingWarn, "nothing, or upgrade: DeviceTaintRules are not heeded, and Kubernetes supports no scheduler that is newer than its API server"
	case minor > builtOn+1:
		f.Standing, f.Do = standingWarn, "upgrade Berth: Kubernetes supports a scheduler that is one minor version older than its API server, and no older one"
	}
	return f, nil
}

// scheduler counts installations and their replicas.
func (in inspected) scheduler(ctx context.Context) finding {
	const check = "scheduler"
	list, err := in.kube.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: schedulerLabel})
	if err != nil {
		return unseen(check, err, "ask as who may list deployments of all namespaces")
	}
	var names []string
	ready, want := int32(0), int32(0)
	for i := range list.Items {
		d := &list.Items[i]
		names = append(names, d.Namespace+"/"+d.Name)
		ready += d.Status.ReadyReplicas
		if d.Spec.Replicas == nil {
			want++
		} else {
			want += *d.Spec.Replicas
		}
	}
	f := finding{Check: check, Standing: standingOK, Found: fmt.Sprintf("%s, %d of %d replicas ready", named(names), ready, want)}
	switch {
	case len(names) == 0:
		return finding{check, standingWarn, "no Deployment has the label " + schedulerLabel, "install Berth, unless it runs outside of the cluster"}
	case len(names) > 1:
		f.Standing, f.Do = standingWarn, "see that each has a schedulerName and a Lease of its own: two leaders of a schedulerName bind the same pods"
	case ready == 0:
		f.Standing, f.Do = standingFail, "see the logs of its pods, as by kubectl -n "+list.Items[0].Namespace+" logs deployment/"+list.Items[0].Name
	case ready < want:
		f.Standing, f.Do = standingWarn, "see why the others are not, as by kubectl -n "+list.Items[0].Namespace+" describe pods"
	}
	return f
}

// leader says who holds the Lease.
func (in inspected) leader(ctx context.Context) finding {
	const check = "leader"
	lease, err := in.kube.CoordinationV1().Leases(in.leaseNamespace).Get(ctx, in.lease, metav1.GetOptions{})
	name := in.leaseNamespace + "/" + in.lease
	switch {
	case apierrors.IsNotFound(err):
		return finding{check, standingFail, "there is no Lease " + name + ": no Berth has led here", "install Berth, or name its Lease by --lease and --lease-namespace"}
	case err != nil:
		return unseen(check, err, "ask as who may read the Lease: the ClusterRole berth-viewer may")
	}
	holder, age, fresh := in.holder(lease)
	switch {
	case holder == "":
		return finding{check, standingFail, "nobody holds Lease " + name, "see whether Berth runs, and its logs"}
	case !fresh:
		return finding{check, standingFail, fmt.Sprintf("%s holds Lease %s and renewed it %s ago, longer than it is good for", holder, name, age), "see whether Berth runs and reaches the API server, and its logs"}
	}
	f := finding{Check: check, Standing: standingOK, Found: fmt.Sprintf("%s holds Lease %s, renewed %s ago", holder, name, age)}
	others, err := in.kube.CoordinationV1().Leases(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + in.lease})
	if err != nil {
		f.Standing, f.Do = standingWarn, "ask as who may list Leases of all namespaces: whether another Berth leads by a Lease of the same name was not looked at: "+err.Error()
		return f
	}
	for i := range others.Items {
		other := &others.Items[i]
		if by, _, leads := in.holder(other); leads && other.Name == in.lease && other.Namespace != in.leaseNamespace {
			f.Standing = standingFail
			f.Found += fmt.Sprintf("; %s holds Lease %s/%s", by, other.Namespace, other.Name)
			f.Do = "have both use one Lease, or give each a schedulerName of its own: two leaders of a name bind the same pods"
		}
	}
	return f
}

// holder returns who holds a Lease, how long ago it was renewed, and whether it still holds.
func (in inspected) holder(lease *coordinationv1.Lease) (name string, age time.Duration, fresh bool) {
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || lease.Spec.RenewTime == nil {
		return "", 0, false
	}
	age = in.now().Sub(lease.Spec.RenewTime.Time).Round(time.Second)
	lasts := 15 * time.Second
	if lease.Spec.LeaseDurationSeconds != nil {
		lasts = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	return *lease.Spec.HolderIdentity, age, age <= lasts
}

// queues says which Queues admit nothing.
func (in inspected) queues(ctx context.Context) finding {
	const check = "queues"
	queues, err := listed[v1alpha1.Queue](ctx, in.dynamic, v1alpha1.QueuesResource, "")
	switch {
	case apierrors.IsNotFound(err):
		return finding{check, standingOK, "the kind is not installed: all gangs share one queue without limits", ""}
	case err != nil:
		return unseen(check, err, "ask as who may list "+v1alpha1.QueuesResource.GroupResource().String())
	}
	var faulty, unjudged []string
	for _, q := range queues {
		switch ready := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionReady); {
		case ready == nil || ready.ObservedGeneration < q.Generation:
			unjudged = append(unjudged, q.Name)
		case ready.Status != metav1.ConditionTrue:
			faulty = append(faulty, fmt.Sprintf("%s (%s: %s)", q.Name, ready.Reason, cmp.Or(ready.Message, "no message")))
		}
	}
	switch {
	case len(faulty) > 0:
		return finding{check, standingFail, fmt.Sprintf("%d of %d admit nothing: %s", len(faulty), len(queues), named(faulty)), "mend what the message names: kubectl describe queue"}
	case len(unjudged) > 0:
		return finding{check, standingWarn, fmt.Sprintf("%d of %d have not been looked at by Berth as they are: %s", len(unjudged), len(queues), named(unjudged)), "see whether Berth leads"}
	}
	return finding{check, standingOK, count(len(queues), "Queue") + ", none with a fault", ""}
}
