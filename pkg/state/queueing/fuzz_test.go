package queueing

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// FuzzQueue has any Queue come to one that is well formed, with pods in both: whatever it says,
// what is charged is released again, and the other queue goes on.
func FuzzQueue(f *testing.F) {
	for _, spec := range []string{
		`{}`, `{"parent":"b"}`, `{"parent":"a"}`, `{"resources":[{"name":"nvidia.com/gpu","guaranteed":"-1","limit":"1e30","weight":-9223372036854775808}]}`,
		`{"resources":[{"name":"cpu","guaranteed":"9223372036854775807"},{"name":"cpu","limit":"1n"}],"order":"FIFO","fairShareHalfLife":"1ns"}`,
		`{"fairShareHalfLife":"-1h","preemption":{"withinQueue":"x","minRuntime":"-1s"},"namespaces":["ns"],"namespaceSelector":{"matchExpressions":[{"key":"","operator":"x"}]}}`,
	} {
		f.Add([]byte(spec), "a", int64(1))
	}
	f.Add([]byte(`{}`), "default", int64(-1))
	f.Add([]byte(`{}`), "", int64(9))
	f.Fuzz(func(t *testing.T, spec []byte, name string, gpus int64) {
		object := &v1alpha1.Queue{}
		if json.Unmarshal(spec, &object.Spec) != nil {
			t.Skip()
		}
		object.Name, object.Generation = name, 1
		b := newQueuesRig(t)
		b.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("8")}}})
		b.SetQueue(queue("b", "", 4, 8))
		b.SetQueue(object)
		waits, runs := statetest.GPUPod("waits", gpus, statetest.InQueue(name)), statetest.GPUPod("runs", gpus, statetest.InQueue(name), statetest.OnNode)
		good := statetest.GPUPod("good", 1, statetest.InQueue("b"))
		for _, pod := range []*corev1.Pod{runs, waits, good} {
			b.tell(pod)
			if pod != runs {
				b.Enter(pod)
			}
		}
		if name != "b" {
			admitted := false
			for _, pod := range b.Admit() {
				admitted = admitted || pod == good
			}
			parent, _ := b.tree.Queue("b")
			if full := b.line.Used().Of(parent)[0] > 0 || b.tree.Fault(parent) != nil; !admitted && !full {
				t.Errorf("the pod of the other queue is not admitted")
			}
		}
		b.Report()
		b.Reclaim([]*corev1.Pod{good}, Others{})
		b.Retry()
		b.Claims()
		b.Ended(good)
		b.DeleteQueue(name)
		for _, pod := range []*corev1.Pod{runs, waits, good} {
			b.forget(pod)
		}
		if b.settled() {
			for id := range quota.QueueID(b.tree.Len()) {
				for r, used := range b.line.Used().Of(id) {
					if used != 0 {
						t.Errorf("queue %q uses %d of %s with no pod left", b.tree.Name(id), used, b.tree.Resources()[r])
					}
				}
			}
		}
		if len(b.charged)+len(b.deleting)+len(b.accounts)+len(b.waiting)+len(b.byPod)+len(b.byName) > 0 {
			t.Errorf("%d charged pods and %d waiters are left", len(b.charged), len(b.waiting))
		}
	})
}

// FuzzElasticQuotas has any ElasticQuota be the quota of a namespace whose pods run and wait.
func FuzzElasticQuotas(f *testing.F) {
	f.Add([]byte(`{"metadata":{"namespace":"ns","name":"q"},"spec":{"min":{"nvidia.com/gpu":8},"max":{"nvidia.com/gpu":"4"}}}`))
	f.Add([]byte(`{"metadata":{"namespace":"ns"},"spec":{"min":{"":"-1"},"max":7}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var fields map[string]any
		if json.Unmarshal(body, &fields) != nil {
			t.Skip()
		}
		object := &unstructured.Unstructured{Object: fields}
		b := newQueuesRig(t)
		b.SetElasticQuota(object)
		runs, waits := statetest.GPUPod("runs", 1, statetest.OnNode), statetest.GPUPod("waits", 1)
		b.tell(runs)
		b.tell(waits)
		b.Enter(waits)
		b.Admit()
		b.Report()
		b.DeleteElasticQuota(types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()})
		if b.Enter(waits); b.used("ns") > 0 {
			t.Error("a quota that is gone is used")
		}
	})
}

// FuzzPod has any pod come to a cluster with a queue, wait, get a node and go: nothing of it is
// left.
func FuzzPod(f *testing.F) {
	for _, pod := range []*corev1.Pod{statetest.GPUPod("p", 1), statetest.GPUPod("p", -1, statetest.InQueue("a"), statetest.InGang("g"), statetest.Sized(2)), statetest.GPUPod("p", 1<<62, statetest.InQueue("none"))} {
		if body, err := json.Marshal(pod); err == nil {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		pod := &corev1.Pod{}
		if json.Unmarshal(body, pod) != nil || len(pod.Spec.Containers) == 0 {
			t.Skip()
		}
		pod.Spec.SchedulerName, pod.Spec.NodeName, pod.UID = "berth", "", "uid"
		b := newQueuesRig(t)
		b.SetQueue(queue("a", "", 4, 8))
		b.table.SetPod(pod)
		b.tell(pod)
		b.table.settleAll()
		b.Enter(pod)
		for _, let := range b.Admit() {
			if _, ok := b.Reserve(let); !ok {
				b.Unreserve(let)
			}
		}
		b.Ended(pod)
		placed := pod.DeepCopy()
		placed.Spec.NodeName = "node"
		b.table.SetPod(placed)
		b.tell(placed)
		b.table.settleAll()
		b.table.DeletePod(placed)
		b.forget(placed)
		b.table.settleAll()
		if len(b.charged)+len(b.deleting)+len(b.waiting)+len(b.byPod)+len(b.reserved)+len(b.table.Keys()) > 0 {
			t.Errorf("%d charged pods, %d waiters, %d reserved and %d gangs are left", len(b.charged), len(b.waiting), len(b.reserved), len(b.table.Keys()))
		}
		if used := b.used("a"); used > 0 {
			t.Errorf("queue a uses %d with no pod left", used)
		}
	})
}
