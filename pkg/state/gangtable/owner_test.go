package gangtable

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// KubeRay never changes the PodGroup that it made for a RayCluster: what the RayCluster says
// counts, and the PodGroup is told the outcome.
func TestOwnerIsHeardBeforeItsPodGroup(t *testing.T) {
	g := newGangsRig(t)
	kinds := map[string]*dialect.Kind{}
	for _, kind := range dialect.Kinds() {
		kinds[kind.Kind+"."+kind.Resource.Group] = &kind
	}
	cluster := func(replicas int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "ray.io/v1", "kind": "RayCluster",
			"metadata": map[string]any{"namespace": "ns", "name": "ray", "labels": map[string]any{"ray.io/gang-scheduling-enabled": ""}},
			"spec":     map[string]any{"workerGroupSpecs": []any{map[string]any{"replicas": replicas}}},
		}}
	}
	key := gang.Key{Namespace: "ns", Dialect: dialect.SchedulerPlugins, Name: "ray"}
	expect := func(when string, action gang.Action, size int32) {
		t.Helper()
		g.settleAll()
		got, _ := g.Get(key)
		if got.Verdict.Action != action || got.Verdict.Group.Size != size {
			t.Errorf("%s: the verdict is %+v, want %s with size %d", when, got.Verdict, action, size)
		}
		if got.Kind == nil || got.Kind.Kind != "PodGroup" {
			t.Errorf("%s: the outcome is told to %+v, want the PodGroup", when, got.Kind)
		}
	}
	g.SetPod(statetest.Pod("head", statetest.InForeign("ray")))
	g.SetPod(statetest.Pod("worker", statetest.InForeign("ray")))
	g.SetObject(foreignKind(t), foreignObject("ray", 7))
	expect("the PodGroup alone", gang.Hold, 7)
	g.SetObject(kinds["RayCluster.ray.io"], cluster(1))
	expect("scaled down", gang.Admit, 2)
	g.SetObject(kinds["RayCluster.ray.io"], cluster(2))
	expect("scaled up", gang.Hold, 3)
	g.Drop(kinds["RayCluster.ray.io"].Resource)
	expect("without the RayCluster", gang.Hold, 7)
}
