package engine

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/plugins/queueorder"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
)

// Queues hold in every profile, whatever a configuration enables.
func TestAdmitByQueue(t *testing.T) {
	profile, err := BuiltinProfile()
	if err != nil {
		t.Fatal(err)
	}
	admitByQueue(profile)
	once := profile.DeepCopy()
	admitByQueue(profile)
	if diff := cmp.Diff(once, profile); diff != "" {
		t.Errorf("it is not the same the second time (-once +twice):\n%s", diff)
	}
	plugins := profile.Plugins
	for name, set := range map[string]schedulerconfig.PluginSet{"preEnqueue": plugins.PreEnqueue, "preFilter": plugins.PreFilter, "reserve": plugins.Reserve} {
		if !slices.ContainsFunc(set.Enabled, func(p schedulerconfig.Plugin) bool { return p.Name == queueadmission.Name }) {
			t.Errorf("%s lacks %s", name, queueadmission.Name)
		}
	}
	if first := plugins.MultiPoint.Enabled[0].Name; first != queuereclaim.Name {
		t.Errorf("%s comes before %s, and would preempt without asking queues", first, queuereclaim.Name)
	}
	if diff := cmp.Diff([]schedulerconfig.Plugin{{Name: queueorder.Name}}, plugins.QueueSort.Enabled); diff != "" {
		t.Errorf("the order of the active queue (-want +got):\n%s", diff)
	}

	preempts := schedulerconfig.PluginSet{Enabled: []schedulerconfig.Plugin{{Name: names.DefaultPreemption}}}
	explicit := &schedulerconfig.KubeSchedulerProfile{Plugins: &schedulerconfig.Plugins{PostFilter: preempts, PodGroupPostFilter: preempts}}
	admitByQueue(explicit)
	admitByQueue(explicit)
	for _, set := range []schedulerconfig.PluginSet{explicit.Plugins.PostFilter, explicit.Plugins.PodGroupPostFilter} {
		if diff := cmp.Diff([]schedulerconfig.Plugin{{Name: queuereclaim.Name}, {Name: names.DefaultPreemption}}, set.Enabled); diff != "" {
			t.Errorf("who makes room, where a profile names others (-want +got):\n%s", diff)
		}
	}

	own := schedulerconfig.PluginSet{Enabled: []schedulerconfig.Plugin{{Name: "MyOrder"}}}
	mine := &schedulerconfig.KubeSchedulerProfile{Plugins: &schedulerconfig.Plugins{QueueSort: own}}
	admitByQueue(mine)
	if diff := cmp.Diff(own, mine.Plugins.QueueSort); diff != "" {
		t.Errorf("a user's own order was replaced (-want +got):\n%s", diff)
	}
}
