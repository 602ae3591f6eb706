package localcluster

import (
	"errors"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// A pod has ended, and the answer to the write that says so is lost. Its node takes another
// pod in its place, as a kubelet does: it goes by what its containers have.
func TestRoomOfAnEndedPodWhoseWriteIsNotAnswered(t *testing.T) {
	gpus := v1.ResourceList{GPUResource: resource.MustParse("8")}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: v1.NodeStatus{Allocatable: gpus}}
	podNamed := func(name string) *v1.Pod {
		return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), Annotations: map[string]string{RunForAnnotation: "1ms"}},
			Spec:   v1.PodSpec{NodeName: "n", RestartPolicy: v1.RestartPolicyNever, Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: gpus, Limits: gpus}}}},
			Status: v1.PodStatus{Phase: v1.PodPending}}
	}
	client := fake.NewClientset(podNamed("first"), podNamed("second"))
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	nodes := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	if err := nodes.Add(node); err != nil {
		t.Fatal(err)
	}
	k := &kubelets{client: client, pods: corelisters.NewPodLister(pods), nodes: corelisters.NewNodeLister(nodes),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
		started: map[types.UID]time.Time{}, admitted: map[string]map[types.UID]*v1.Pod{}}
	t.Cleanup(k.queue.ShutDown)
	// see has the watch tell of a pod as the store has it, and returns it.
	see := func(name string) *v1.Pod {
		t.Helper()
		pod, err := client.CoreV1().Pods("ns").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := pods.Update(pod); err != nil {
			t.Fatal(err)
		}
		return pod
	}
	lost := false
	client.PrependReactor("update", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		pod, is := action.(clienttesting.UpdateAction).GetObject().(*v1.Pod)
		if !is || !hasEnded(pod) || lost {
			return false, nil, nil
		}
		lost = true
		return true, nil, errors.Join(client.Tracker().Update(v1.SchemeGroupVersion.WithResource("pods"), pod, "ns"), errors.New("the answer is lost"))
	})
	sync := func(name string) error { return k.sync(t.Context(), cache.ObjectName{Namespace: "ns", Name: name}) }
	for see("first").Status.Phase == v1.PodPending || !lost {
		if err := sync("first"); err != nil && !lost {
			t.Fatal(err)
		}
	}
	if phase := see("first").Status.Phase; phase != v1.PodSucceeded {
		t.Fatalf("the first pod is %s", phase)
	}
	see("second")
	if err := sync("second"); err != nil {
		t.Fatal(err)
	}
	if pod := see("second"); pod.Status.Phase != v1.PodRunning {
		t.Errorf("the second pod is %s: %s %s", pod.Status.Phase, pod.Status.Reason, pod.Status.Message)
	}
}
