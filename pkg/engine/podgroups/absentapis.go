package podgroups

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1beta1 "k8s.io/api/coordination/v1beta1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericfeatures "k8s.io/apiserver/pkg/features"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/featuregate"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/features"
)

// Upstream's scheduler waits for the first list of everything that it watches, without a
// limit. What it watches by default is what an API server of its own version serves. On an
// older server, one list that is never answered keeps the scheduler from placing anything.
// So Berth asks the server once, at start, and does without what it does not serve: the gate
// that needs it is turned off, or, where upstream has locked the gate, what the gate's code
// reads is an informer that has nothing. Both are true of a server without that API: there are
// no such objects. An API that comes later, with an upgrade of the control plane, is taken up at
// the next start.

// gatedAPI is what upstream's scheduler watches because a feature gate is on.
type gatedAPI struct {
	gate    featuregate.Feature
	version schema.GroupVersion
	// resources are those of the version that the gate needs, with what an informer of each has.
	resources []emptyResource
	// since is the release whose API servers serve it by default, "" for none so far.
	since string
	// without is what becomes of those who would use it.
	without string
}

// emptyResource is a resource with the types of an informer for it.
type emptyResource struct {
	name   string
	object runtime.Object
	list   runtime.Object
}

// gatedAPIs are the APIs that servers may lack and upstream's scheduler may wait for. All
// else that it watches has been served since Kubernetes 1.24 or longer.
func gatedAPIs() []gatedAPI {
	return []gatedAPI{
		{
			gate: features.DynamicResourceAllocation, version: resourcev1.SchemeGroupVersion, since: "1.34",
			resources: []emptyResource{
				{"resourceclaims", &resourcev1.ResourceClaim{}, &resourcev1.ResourceClaimList{}},
				{"resourceslices", &resourcev1.ResourceSlice{}, &resourcev1.ResourceSliceList{}},
				{"deviceclasses", &resourcev1.DeviceClass{}, &resourcev1.DeviceClassList{}},
			},
			without: "pods that name ResourceClaims wait; devices that are extended resources are placed",
		},
		{
			gate: features.DRADeviceTaintRules, version: resourcev1.SchemeGroupVersion, since: "1.37",
			resources: []emptyResource{{"devicetaintrules", &resourcev1.DeviceTaintRule{}, &resourcev1.DeviceTaintRuleList{}}},
			without:   "DeviceTaintRules are not heeded; the taints in ResourceSlices are",
		},
		{
			gate: features.CompositePodGroup, version: schedulingv1alpha3.SchemeGroupVersion,
			resources: []emptyResource{{"compositepodgroups", &schedulingv1alpha3.CompositePodGroup{}, &schedulingv1alpha3.CompositePodGroupList{}}},
			without:   "CompositePodGroups are not heeded",
		},
		{
			gate: genericfeatures.CoordinatedLeaderElection, version: coordinationv1beta1.SchemeGroupVersion,
			resources: []emptyResource{{"leasecandidates", &coordinationv1beta1.LeaseCandidate{}, &coordinationv1beta1.LeaseCandidateList{}}},
			without:   "the replicas elect the leader among themselves",
		},
	}
}

// AbsentAPIs are the resources that a server does not serve, and that a locked gate has the
// scheduler watch all the same.
type AbsentAPIs []emptyResource

// retries of a question to a server that does not answer.
const (
	discoveryPause    = 200 * time.Millisecond
	discoveryMaxPause = 10 * time.Second
)

// AwaitAPIs asks the server which APIs it serves until it has an answer, and turns off the
// gates that need others. It fails for a gate that a flag has turned on, and, with the error of
// the context, once that is done.
func AwaitAPIs(ctx context.Context, server discovery.DiscoveryInterface, gates featuregate.MutableVersionedFeatureGate) (AbsentAPIs, error) {
	logger := klog.FromContext(ctx)
	for wait := discoveryPause; ; wait = min(2*wait, discoveryMaxPause) {
		missing, err := missingAPIs(ctx, server, gates)
		if err == nil {
			return doWithout(logger, gates, missing)
		}
		logger.Error(err, "The API server does not say which APIs it serves; asking again", "in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// missingAPI is one that a gate needs, with those of its resources that the server lacks.
type missingAPI struct {
	gatedAPI
	lacking []string
}

// missingAPIs returns what the server does not serve of that which gates need. It fails if the
// server's answer is not definite.
func missingAPIs(ctx context.Context, server discovery.DiscoveryInterface, gates featuregate.FeatureGate) ([]missingAPI, error) {
	var missing []missingAPI
	for _, api := range gatedAPIs() {
		if !gates.Enabled(api.gate) {
			continue
		}
		served, err := servedResources(ctx, server, api.version)
		if err != nil {
			return nil, err
		}
		m := missingAPI{gatedAPI: api}
		for _, r := range api.resources {
			if !slices.Contains(served, r.name) {
				m.lacking = append(m.lacking, fmt.Sprintf("%s.%s.%s", r.name, api.version.Version, api.version.Group))
			}
		}
		if len(m.lacking) > 0 {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// doWithout turns off the gates of what is missing. It returns the resources of gates that are
// locked, and fails for a gate that was turned on by name.
func doWithout(logger klog.Logger, gates featuregate.MutableVersionedFeatureGate, missing []missingAPI) (AbsentAPIs, error) {
	var absent AbsentAPIs
	for _, m := range missing {
		apis, since := strings.Join(m.lacking, ", "), "no release serves it by default"
		if m.since != "" {
			since = "served by default since Kubernetes " + m.since
		}
		if gates.ExplicitlySet(m.gate) {
			return nil, fmt.Errorf("--feature-gates turns on %s, which needs an API that the API server does not serve: %s (%s); remove %s from --feature-gates, or have the API server serve it",
				m.gate, apis, since, m.gate)
		}
		how := "the gate is turned off"
		if gates.GetAll()[m.gate].LockToDefault {
			how = "the gate is locked; its objects are taken to be none"
			absent = append(absent, m.resources...)
		} else if err := gates.SetFromMap(map[string]bool{string(m.gate): false}); err != nil {
			return nil, fmt.Errorf("turning off %s, as the API server does not serve %s: %w", m.gate, apis, err)
		}
		logger.Info("The API server does not serve an API that is used by default; doing without until the next start",
			"api", apis, "served", since, "gate", string(m.gate), "how", how, "consequence", m.without)
	}
	return absent, nil
}

// MakeEmpty has the factory's informers of the absent resources be synced, and have nothing. It
// must come before anybody asks for them: the factory keeps the first of each type.
func (a AbsentAPIs) MakeEmpty(factory informers.SharedInformerFactory) {
	for _, r := range a {
		factory.InformerFor(r.object, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
			return cache.NewSharedIndexInformer(emptySource{r.list}, r.object, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		})
	}
}

// emptySource lists nothing, and watches for what never comes.
type emptySource struct{ list runtime.Object }

func (s emptySource) List(metav1.ListOptions) (runtime.Object, error) {
	return s.list.DeepCopyObject(), nil
}

func (s emptySource) Watch(metav1.ListOptions) (watch.Interface, error) { return watch.NewFake(), nil }

// IsWatchListSemanticsUnSupported tells the reflector to list first.
func (s emptySource) IsWatchListSemanticsUnSupported() bool { return true }

// servedResources returns the names of the resources that a server serves of a version. It
// fails if the answer is not definite: a server that is away, or starts, has said nothing.
func servedResources(ctx context.Context, server discovery.DiscoveryInterface, version schema.GroupVersion) ([]string, error) {
	list, err := discovery.ToDiscoveryInterfaceWithContext(server).ServerResourcesForGroupVersionWithContext(ctx, version.String())
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("discovering %s: %w", version, err)
	}
	names := make([]string, len(list.APIResources))
	for i := range list.APIResources {
		names[i] = list.APIResources[i].Name
	}
	return names, nil
}
