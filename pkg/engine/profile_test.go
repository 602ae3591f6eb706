package engine

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/features"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// useGangEngine turns the gates on, which defaulting looks at.
func useGangEngine(t *testing.T) {
	t.Helper()
	if err := enableGangEngine(); err != nil {
		t.Fatal(err)
	}
}

// The manifest says what Berth does without a configuration file.
func TestManifestIsTheBuiltinConfiguration(t *testing.T) {
	useGangEngine(t)
	builtin, err := builtinConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	file, err := options.LoadConfigFromFile(klog.Background(), "../../manifests/base/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	builtin.TypeMeta, file.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
	byName := cmpopts.SortSlices(func(a, b schedulerconfig.PluginConfig) bool { return a.Name < b.Name })
	if diff := cmp.Diff(builtin, file, byName); diff != "" {
		t.Errorf("the configurations differ (-built in +manifest):\n%s", diff)
	}
	if len(file.Profiles) != 1 || len(file.Profiles[0].PluginConfig) == 0 {
		t.Errorf("profiles are %v, want one with arguments", file.Profiles)
	}
}

func TestCheckProfiles(t *testing.T) {
	named := func(names ...string) *schedulerconfig.KubeSchedulerConfiguration {
		cfg := &schedulerconfig.KubeSchedulerConfiguration{}
		for _, name := range names {
			cfg.Profiles = append(cfg.Profiles, schedulerconfig.KubeSchedulerProfile{SchedulerName: name})
		}
		return cfg
	}
	for _, c := range []struct {
		name    string
		cfg     *schedulerconfig.KubeSchedulerConfiguration
		replace bool
		refused bool
	}{
		{"our own", named("berth"), false, false},
		{"two", named("berth", "scheduler-plugins-scheduler"), false, false},
		{"kube-scheduler's", named("default-scheduler"), false, true},
		{"kube-scheduler's, second", named("berth", "default-scheduler"), false, true},
		{"kube-scheduler's, and it does not run", named("default-scheduler"), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := checkProfiles(c.cfg, c.replace); (err != nil) != c.refused {
				t.Errorf("refused: %v, want %v", err, c.refused)
			}
		})
	}
}

func TestCheckGangEngine(t *testing.T) {
	useGangEngine(t)
	if err := checkGangEngine(); err != nil {
		t.Errorf("with the gates on: %v", err)
	}
	if utilfeature.DefaultFeatureGate.Enabled(features.NominatedNodeNameForExpectation) {
		t.Error("a nomination is written for each pod of a gang")
	}
	off := string(features.TopologyAwareWorkloadScheduling)
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{off: false}); err != nil {
		t.Fatal(err)
	}
	defer useGangEngine(t)
	if err := checkGangEngine(); err == nil || !strings.Contains(err.Error(), off) {
		t.Errorf("with %s off: %v, want an error that names it", off, err)
	}
}

func TestOptionsValidate(t *testing.T) {
	for grace, valid := range map[time.Duration]bool{time.Minute: true, time.Second: true, time.Millisecond: false, 0: false, -time.Minute: false} {
		if err := (&Options{GangGracePeriod: grace}).Validate(); (err == nil) != valid {
			t.Errorf("a grace period of %s: %v, want it valid: %v", grace, err, valid)
		}
	}
}

func TestPlaceLease(t *testing.T) {
	for _, c := range []struct {
		name string
		// The configuration's lease, and flags.
		lease, namespace string
		elect            bool
		flags            map[string]string
		// status is the API server's answer about the namespace.
		status int
		want   string
	}{
		{name: "our namespace is there", lease: "berth", namespace: "berth-system", elect: true, status: http.StatusOK, want: "berth-system/berth"},
		{name: "our namespace is not there", lease: "berth", namespace: "berth-system", elect: true, status: http.StatusNotFound, want: "kube-system/berth"},
		{name: "we may not look", lease: "berth", namespace: "berth-system", elect: true, status: http.StatusForbidden, want: "berth-system/berth"},
		{name: "nobody is elected", lease: "berth", namespace: "berth-system", status: http.StatusNotFound, want: "berth-system/berth"},
		{name: "kube-scheduler's lease is not taken", lease: "kube-scheduler", namespace: "kube-system", want: "berth-system/berth"},
		{name: "a namespace of the user's own", lease: "kube-scheduler", namespace: "mine", want: "mine/berth"},
		{name: "a lease of the user's own", lease: "mine", namespace: "kube-system", elect: true, status: http.StatusNotFound, want: "kube-system/mine"},
		{name: "flags win", lease: "berth", namespace: "berth-system", elect: true, status: http.StatusNotFound,
			flags: map[string]string{leaseNamespaceFlag: "flagged", leaseNameFlag: "own"}, want: "flagged/own"},
		{name: "a flag turns the election off", lease: "berth", namespace: "berth-system", elect: true, status: http.StatusNotFound,
			flags: map[string]string{"leader-elect": "false"}, want: "berth-system/berth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v1/namespaces/berth-system" {
					t.Errorf("the API server is asked for %s", r.URL.Path)
				}
				w.Header().Set("Content-Type", "application/json")
				reason := map[int]string{http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden"}[c.status]
				w.WriteHeader(c.status)
				if c.status == http.StatusOK {
					_, _ = w.Write([]byte(`{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"berth-system"}}`))
					return
				}
				_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"` + reason + `"}`))
			}))
			defer server.Close()
			kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
			body := `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"` + server.URL +
				`"}}],"contexts":[{"name":"c","context":{"cluster":"c"}}]}`
			if err := os.WriteFile(kubeconfig, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			upstream := options.NewOptions()
			flags := upstream.Flags.FlagSet("leader election")
			for flag, value := range c.flags {
				if err := flags.Set(flag, value); err != nil {
					t.Fatal(err)
				}
			}
			cfg := &schedulerconfig.KubeSchedulerConfiguration{}
			cfg.ClientConnection.Kubeconfig = kubeconfig
			cfg.LeaderElection.LeaderElect = c.elect
			cfg.LeaderElection.ResourceName, cfg.LeaderElection.ResourceNamespace = c.lease, c.namespace
			if err := placeLease(context.Background(), upstream, cfg); err != nil {
				t.Fatal(err)
			}
			got := flags.Lookup(leaseNamespaceFlag).Value.String() + "/" + flags.Lookup(leaseNameFlag).Value.String()
			if got != c.want {
				t.Errorf("the lease is %s, want %s", got, c.want)
			}
		})
	}
}
