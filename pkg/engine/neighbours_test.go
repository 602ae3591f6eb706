package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

func TestOwnNodes(t *testing.T) {
	for text, want := range map[string]string{
		"pool=berth":                       "pool In [berth]",
		"pool in (a,b),gpu":                "gpu Exists [], pool In [a b]",
		"pool!=cpu":                        "pool NotIn [cpu]",
		"!shared":                          "shared DoesNotExist []",
		"":                                 "",
		"pool==":                           "pool In []",
		"=x":                               "error",
		"pool in":                          "error",
		"cores>4":                          "error",
		"pool=" + strings.Repeat("x", 100): "error",
	} {
		selector, err := ownNodes(text)
		got := ""
		switch {
		case err != nil:
			got = "error"
			if !strings.Contains(err.Error(), "--own-nodes") {
				t.Errorf("%q: the error names no flag: %v", text, err)
			}
		case selector != nil:
			affinity, err := affinityOf(selector)
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for _, r := range affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
				parts = append(parts, fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values))
			}
			got = strings.Join(parts, ", ")
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// All profiles keep to Berth's own nodes, and none that says otherwise is overruled.
func TestProfilesKeepToOwnNodes(t *testing.T) {
	profile, err := BuiltinProfile()
	if err != nil {
		t.Fatal(err)
	}
	selector, err := ownNodes("pool=berth")
	if err != nil {
		t.Fatal(err)
	}
	profiles := []schedulerconfig.KubeSchedulerProfile{*profile.DeepCopy(), {SchedulerName: "bare"}}
	if err := keepToOwn(profiles, selector); err != nil {
		t.Fatal(err)
	}
	for i := range profiles {
		added := 0
		for _, c := range profiles[i].PluginConfig {
			if args, ok := c.Args.(*schedulerconfig.NodeAffinityArgs); ok && args.AddedAffinity != nil {
				added++
			}
		}
		if added != 1 {
			t.Errorf("profile %s has %d added affinities", profiles[i].SchedulerName, added)
		}
	}
	if err := keepToOwn(profiles, selector); err == nil {
		t.Error("a profile that has an added affinity was given another")
	}
	if err := keepToOwn(profiles, nil); err != nil {
		t.Error(err)
	}
}

// The events on nodes that others use are bounded, and none comes before this process leads.
func TestIntrusionsAreBounded(t *testing.T) {
	recorder := &enginetest.Recorder{}
	leads := false
	n := newNeighbours(recorder, func() bool { return leads })
	tell := func(i int) {
		n.intruded(nodeindex.Intrusion{Node: fmt.Sprint("n", i), NodeUID: "u", Pod: types.NamespacedName{Namespace: "ns", Name: "p"}, Scheduler: corev1.DefaultSchedulerName, Pods: 2})
	}
	tell(0)
	if len(recorder.Log) != 0 {
		t.Errorf("told before it leads: %v", recorder.Log)
	}
	leads = true
	for i := range 1000 {
		tell(i)
	}
	if len(recorder.Log) == 0 || len(recorder.Log) > intrusionBurst {
		t.Errorf("%d events", len(recorder.Log))
	}
	want := `2 pods of other schedulers have devices of this node, which is Berth's own by --own-nodes: the first is ns/p of scheduler "default-scheduler"`
	if !strings.Contains(recorder.Log[0], want) {
		t.Error(cmp.Diff(want, recorder.Log[0]))
	}
	n.overdrawn(nodeindex.Overdraft{Node: "n", Resource: gpuName, Allocatable: 8, Used: 9, Foreign: "ns/p"})
	n.overdrawn(nodeindex.Overdraft{Node: "n", Resource: gpuName, Allocatable: 7, Used: 8})
}
