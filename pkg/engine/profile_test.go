package engine

import (
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

	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// useGangEngine turns the gates on, which defaulting looks at.
func useGangEngine(t *testing.T) {
	t.Helper()
	if err := podgroups.EnableGangEngine(); err != nil {
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
	if err := podgroups.CheckGangEngine(); err != nil {
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
	if err := podgroups.CheckGangEngine(); err == nil || !strings.Contains(err.Error(), off) {
		t.Errorf("with %s off: %v, want an error that names it", off, err)
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string // "" for options that are valid
	}{
		{"as they are by default", func(*Options) {}, ""},
		{"the least grace", func(o *Options) { o.GangGracePeriod = time.Second }, ""},
		{"too little grace", func(o *Options) { o.GangGracePeriod = time.Millisecond }, "--gang-grace-period=1ms"},
		{"no bindings", func(o *Options) { o.Bindings = 0 }, "--bindings-in-flight=0"},
		{"negative events", func(o *Options) { o.ScheduledEventsPerSecond = -1 }, "--scheduled-events-per-second=-1"},
		{"nobody admitted", func(o *Options) { o.QueueWindow = 0 }, "--queue-window=0"},
		{"nobody of a namespace tried", func(o *Options) { o.NamespaceWindow = 0 }, "--namespace-window=0"},
		{"nobody overtaken", func(o *Options) { o.QueueOvertaking = 0 }, ""},
		{"queues open", func(o *Options) { o.QueueAccess = QueuesOpen }, ""},
		{"queues ajar", func(o *Options) { o.QueueAccess = "ajar" }, "--queue-access=ajar must be restricted"},
		{"overtaken less than never", func(o *Options) { o.QueueOvertaking = -1 }, "--queue-overtaking=-1"},
	} {
		o := DefaultOptions()
		c.change(o)
		if err := o.Validate(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestNameLease(t *testing.T) {
	for _, c := range []struct{ name, lease, want string }{
		{"kube-scheduler's, as defaulting names it", "kube-scheduler", "berth"},
		{"our own", "berth", "berth"},
		{"a user's own", "mine", "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &schedulerconfig.KubeSchedulerConfiguration{}
			cfg.LeaderElection.ResourceName, cfg.LeaderElection.ResourceNamespace = c.lease, "somewhere"
			nameLease(cfg)
			got := cfg.LeaderElection
			if got.ResourceName != c.want || got.ResourceNamespace != "somewhere" {
				t.Errorf("the lease is %s/%s, want somewhere/%s", got.ResourceNamespace, got.ResourceName, c.want)
			}
		})
	}
}
