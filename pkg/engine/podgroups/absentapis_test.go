package podgroups

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/component-base/featuregate"
	"k8s.io/kubernetes/pkg/features"
)

func enableGangEngine(t *testing.T) {
	t.Helper()
	if err := EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
}

// serverWith is a client of a server that serves these resources of these versions, and no more.
func serverWith(versions map[string][]string) *fake.Clientset {
	client := fake.NewClientset()
	for version, names := range versions {
		list := &metav1.APIResourceList{GroupVersion: version}
		for _, name := range names {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
		}
		client.Resources = append(client.Resources, list)
	}
	return client
}

var (
	since134 = []string{"resourceclaims", "resourceclaimtemplates", "resourceslices", "deviceclasses"}
	server37 = map[string][]string{"resource.k8s.io/v1": append(slices.Clone(since134), "devicetaintrules")}
	server34 = map[string][]string{"resource.k8s.io/v1": since134}
	server33 = map[string][]string{"apps/v1": {"deployments"}}
)

// gatesSet are the gates of a process of its own, set by a flag.
func gatesSet(t *testing.T, flag map[string]bool) featuregate.MutableVersionedFeatureGate {
	t.Helper()
	gates := utilfeature.DefaultMutableFeatureGate.DeepCopy()
	if err := gates.SetFromMap(flag); err != nil {
		t.Fatal(err)
	}
	return gates
}

func TestGatesFollowWhatTheServerServes(t *testing.T) {
	enableGangEngine(t)
	const rules, composite = features.DRADeviceTaintRules, features.CompositePodGroup
	for _, c := range []struct {
		name   string
		server map[string][]string
		flag   map[string]bool
		// on says whether rules that taint devices are heeded, empty what is taken to have
		// no objects.
		on    bool
		empty []string
		// refused are the words of the error, if there is to be one.
		refused []string
	}{
		{name: "1.37 has all", server: server37, on: true},
		{name: "1.34 has no rules that taint devices", server: server34},
		{name: "1.33 has no devices at all", server: server33, empty: []string{"resourceclaims", "resourceslices", "deviceclasses"}},
		{name: "they were turned off before", server: server34, flag: map[string]bool{string(rules): false}},
		{name: "they were asked for", server: server34, flag: map[string]bool{string(rules): true},
			on: true, refused: []string{"--feature-gates", "DRADeviceTaintRules", "devicetaintrules.v1.resource.k8s.io", "1.37"}},
		{name: "they were asked for, and are there", server: server37, flag: map[string]bool{string(rules): true}, on: true},
		{name: "devices were asked for", server: server33, flag: map[string]bool{"DynamicResourceAllocation": true},
			on: true, refused: []string{"--feature-gates", "DynamicResourceAllocation", "resourceslices.v1.resource.k8s.io", "1.34"}},
		{name: "what no release serves was asked for", server: server37, flag: map[string]bool{string(composite): true},
			on: true, refused: []string{"CompositePodGroup", "compositepodgroups.v1alpha3.scheduling.k8s.io", "no release"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gates := gatesSet(t, c.flag)
			absent, err := AwaitAPIs(t.Context(), serverWith(c.server).Discovery(), gates)
			if (err != nil) != (c.refused != nil) {
				t.Fatalf("error %v, want one with %q", err, c.refused)
			}
			for _, word := range c.refused {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not say %q", err, word)
				}
			}
			if got := gates.Enabled(rules); got != c.on {
				t.Errorf("%s is %t, want %t", rules, got, c.on)
			}
			var names []string
			for _, a := range absent {
				names = append(names, a.name)
			}
			if diff := cmp.Diff(c.empty, names); diff != "" {
				t.Errorf("taken to have no objects (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that is away, or that has not read its own paths yet, has not denied anything.
func TestNoAnswerIsNoDenial(t *testing.T) {
	enableGangEngine(t)
	gates, client := gatesSet(t, nil), serverWith(server37)
	answers := []error{errors.New("connection refused"), apierrors.NewServiceUnavailable("not all paths are installed")}
	asked := 0
	client.PrependReactor("get", "resource", func(clienttesting.Action) (bool, runtime.Object, error) {
		asked++
		if asked > len(answers) {
			return false, nil, nil
		}
		return true, nil, answers[asked-1]
	})
	absent, err := AwaitAPIs(t.Context(), client.Discovery(), gates)
	if err != nil || len(absent) != 0 || !gates.Enabled(features.DRADeviceTaintRules) {
		t.Errorf("got %v, %v with %s %t, want everything on", absent, err, features.DRADeviceTaintRules, gates.Enabled(features.DRADeviceTaintRules))
	}
	if asked <= len(answers) {
		t.Errorf("asked %d times, want again after each of %d failures", asked, len(answers))
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	answers = slices.Repeat(answers, 1000)
	asked = 0
	if _, err := AwaitAPIs(ended, client.Discovery(), gates); !errors.Is(err, context.Canceled) || !gates.Enabled(features.DRADeviceTaintRules) {
		t.Errorf("asked to end, it says %v with %s %t, want %v and on", err, features.DRADeviceTaintRules, gates.Enabled(features.DRADeviceTaintRules), context.Canceled)
	}
}

// What a locked gate watches in vain is synced and empty; the rest comes from the server.
func TestAbsentResourcesAreEmpty(t *testing.T) {
	enableGangEngine(t)
	client := serverWith(server33)
	client.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		resource := action.GetResource()
		return resource.Group == resourcev1.GroupName, nil, apierrors.NewNotFound(resource.GroupResource(), "")
	})
	absent, err := AwaitAPIs(t.Context(), client.Discovery(), gatesSet(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	absent.MakeEmpty(factory)
	claims, slices, classes := factory.Resource().V1().ResourceClaims(), factory.Resource().V1().ResourceSlices(), factory.Resource().V1().DeviceClasses()
	claims.Informer()
	slices.Informer()
	classes.Informer()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			t.Errorf("%s are not synced", kind)
		}
	}
	cancel()
}
