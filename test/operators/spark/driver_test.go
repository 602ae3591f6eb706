package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

// stage is a driver that is ready, and a cache that the test keeps.
type stage struct {
	*drivers
	client *fake.Clientset
	pod    *corev1.Pod
}

func newStage(t *testing.T, properties string) *stage {
	t.Helper()
	c := readProperties(properties + "spark.app.name=train\nspark.kubernetes.executor.podNamePrefix=train-1\nspark.kubernetes.executor.podTemplateContainerName=main\n")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "train-driver", UID: "1", Labels: map[string]string{roleLabel: driverRole, applicationLabel: "spark-1"}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	var objects []*corev1.ConfigMap
	for volume, data := range map[string]map[string]string{
		confVolume:     {confKey: c.properties()},
		templateVolume: {templateKey: "metadata: {ownerReferences: [{apiVersion: v1, kind: SparkApplication, name: train, uid: a}]}\nspec: {containers: [{name: main}]}"},
	} {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: volume}},
		}})
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: volume}, Data: data})
	}
	client := fake.NewClientset(objects[0], objects[1])
	return &stage{&drivers{client: client, store: cache.NewStore(cache.MetaNamespaceKeyFunc), running: map[types.UID]*driver{}}, client, pod}
}

// round is one round of the driver, after which it is told of the executors that are there.
func (s *stage) round(t *testing.T) []string {
	t.Helper()
	if err := s.allocate(t.Context(), s.pod); err != nil {
		t.Fatal(err)
	}
	list, err := s.client.CoreV1().Pods("ns").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		s.seen(&list.Items[i])
		if err := s.store.Add(&list.Items[i]); err != nil {
			t.Fatal(err)
		}
		names = append(names, list.Items[i].Name)
	}
	return names
}

// kill has an executor be gone.
func (s *stage) kill(t *testing.T, name string) {
	t.Helper()
	if err := s.client.CoreV1().Pods("ns").Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}); err != nil {
		t.Fatal(err)
	}
}

// A driver makes its executors, and others with new numbers for those that it loses, also for one
// that is gone before the next round.
func TestDriverReplacesExecutors(t *testing.T) {
	s := newStage(t, "spark.executor.instances=2\n")
	if got := strings.Join(s.round(t), " "); got != "train-1-exec-1 train-1-exec-2" {
		t.Fatalf("executors are %s", got)
	}
	executor := s.executors("ns", "spark-1")[0]
	if owner := metav1.GetControllerOf(executor); owner == nil || owner.Kind != "Pod" || len(executor.OwnerReferences) != 2 {
		t.Errorf("owners of an executor are %v", executor.OwnerReferences)
	}
	s.kill(t, "train-1-exec-1")
	if got := strings.Join(s.round(t), " "); got != "train-1-exec-2 train-1-exec-3" {
		t.Errorf("executors are %s", got)
	}
}

// What has no more work goes, and so does all when the driver is told to end.
func TestDriverShrinksAndEnds(t *testing.T) {
	s := newStage(t, "spark.dynamicAllocation.enabled=true\nspark.dynamicAllocation.initialExecutors=3\n")
	s.round(t)
	s.pod.Annotations = map[string]string{wantedAnnotation: "1"}
	if got := strings.Join(s.round(t), " "); got != "train-1-exec-1" {
		t.Errorf("executors are %s", got)
	}
	grace := int64(30)
	leaving := s.pod.DeepCopy()
	leaving.DeletionTimestamp, leaving.DeletionGracePeriodSeconds = &metav1.Time{}, &grace
	if err := s.changed(t.Context(), change{pod: leaving}); err != nil {
		t.Fatal(err)
	}
	var removed bool
	for _, action := range s.client.Actions() {
		removed = removed || action.Matches("delete-collection", "pods")
	}
	if !removed {
		t.Error("a driver that is told to end leaves its executors")
	}
}
