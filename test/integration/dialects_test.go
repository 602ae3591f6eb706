package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// The resources of custom resource definitions and of the pod groups of
// scheduler-plugins.
var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	podGroups   = schema.GroupVersionResource{Group: "scheduling.x-k8s.io", Version: "v1alpha1", Resource: "podgroups"}

	volcanoPodGroups = schema.GroupVersionResource{Group: "scheduling.volcano.sh", Version: "v1beta1", Resource: "podgroups"}
)

// spoken is a gang of 3 in one dialect, whose pods state their size.
type spoken struct {
	dialect string
	edits   []func(*corev1.Pod)
}

// owner makes a pod look as if a controller had made it; madeByJobs gives it the Job.
func owner(apiVersion, kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: "0", Controller: &yes}}
	}
}

// madeByJobs makes the Jobs that the pods name as their owners, for the garbage
// collector deletes a pod whose owner is not there. The Job controller leaves them alone:
// another is said to manage them.
func (e *environment) madeByJobs(t *testing.T, namespace string, pods []*corev1.Pod) []*corev1.Pod {
	t.Helper()
	jobs := map[string]types.UID{}
	for _, p := range pods {
		for i, o := range p.OwnerReferences {
			if o.Kind != "Job" {
				continue
			}
			if _, made := jobs[o.Name]; !made {
				jobs[o.Name] = e.unmanagedJob(t, namespace, o.Name, int32(len(pods)))
			}
			p.OwnerReferences[i].UID = jobs[o.Name]
		}
	}
	return pods
}

// unmanagedJob returns the UID of a Job of that many pods at once, for which no
// controller makes pods.
func (e *environment) unmanagedJob(t *testing.T, namespace, name string, pods int32) types.UID {
	t.Helper()
	manager := "berth.test/the-test"
	template := pod("", 0).Spec
	template.RestartPolicy = corev1.RestartPolicyNever
	job, err := e.client.BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{Parallelism: &pods, Completions: &pods, ManagedBy: &manager,
			Template: corev1.PodTemplateSpec{Spec: template}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating the Job that owns the pods: %v", err)
	}
	return job.UID
}

func allDialects() []spoken {
	gangSize := annotations("berth.dev/gang-size", "3")
	return []spoken{
		{"berth", []func(*corev1.Pod){ours("g", 3)}},
		{"scheduler-plugins", []func(*corev1.Pod){labels("scheduling.x-k8s.io/pod-group", "g"), gangSize}},
		{"scheduler-plugins-older", []func(*corev1.Pod){labels("pod-group.scheduling.sigs.k8s.io", "g"), gangSize}},
		{"kueue", []func(*corev1.Pod){labels("kueue.x-k8s.io/pod-group-name", "g"), annotations("kueue.x-k8s.io/pod-group-total-count", "3")}},
		{"kai", []func(*corev1.Pod){annotations("pod-group-name", "g", "kai.scheduler/batch-min-member", "3")}},
		{"volcano", []func(*corev1.Pod){annotations("scheduling.k8s.io/group-name", "g", "scheduling.volcano.sh/group-min-member", "3")}},
		{"yunikorn", []func(*corev1.Pod){labels("applicationId", "g"), annotations("yunikorn.apache.org/task-group-name", "workers",
			"yunikorn.apache.org/task-groups", `[{"name":"workers","minMember":3,"minResource":{"cpu":"1"}}]`)}},
		{"koordinator", []func(*corev1.Pod){annotations("gang.scheduling.koordinator.sh/name", "g", "gang.scheduling.koordinator.sh/min-available", "3")}},
		{"job", []func(*corev1.Pod){owner("batch/v1", "Job", "g"), gangSize}},
		{"jobset", []func(*corev1.Pod){owner("batch/v1", "Job", "g-workers-0"), labels("jobset.sigs.k8s.io/jobset-name", "g", "jobset.sigs.k8s.io/replicatedjob-name", "workers"), gangSize}},
		{"leaderworkerset", []func(*corev1.Pod){labels("leaderworkerset.sigs.k8s.io/name", "g", "leaderworkerset.sigs.k8s.io/group-index", "0"),
			annotations("leaderworkerset.sigs.k8s.io/size", "3")}},
	}
}

// On a server that serves none of the kinds, a size on the pods is enough.
func TestEveryDialectWithoutDefinitions(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	for _, d := range allDialects() {
		t.Run(d.dialect, func(t *testing.T) {
			ns := e.namespace(t)
			gang := e.madeByJobs(t, ns, gangOf("p", 3, 8, d.edits...))
			e.create(t, ns, gang[:2]...)
			e.create(t, ns, pod("single", 0))
			e.expectBound(t, ns, 1)
			never(t, "a member of a gang with 2 of 3 pods was bound", 500*time.Millisecond, func(ctx context.Context) (bool, error) {
				n, err := e.bound(ctx, ns)
				return n > 1, err
			})
			e.create(t, ns, gang[2])
			e.expectBound(t, ns, 4)
		})
	}
}

// object decodes one object of a gang kind.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatalf("decoding %s: %v", text, err)
	}
	return u
}

// declare creates an object that declares a gang.
func (e *environment) declare(t *testing.T, namespace string, resource schema.GroupVersionResource, text string) *unstructured.Unstructured {
	t.Helper()
	declared, err := e.dynamic.Resource(resource).Namespace(namespace).Create(t.Context(), object(t, text), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("declaring a gang by %s: %v", text, err)
	}
	return declared
}

// define installs a definition from testdata for the rest of the test and waits
// until its kind is served.
func (e *environment) define(t *testing.T, name string, resource schema.GroupVersionResource) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "definitions", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.dynamic.Resource(definitions).Create(t.Context(), object(t, string(text)), metav1.CreateOptions{}); err != nil {
		t.Fatalf("installing the definition of %s: %v", resource, err)
	}
	t.Cleanup(func() { e.undefine(t, resource) })
	eventually(t, resource.String()+" is served", func(ctx context.Context) error {
		_, err := e.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
		return err
	})
}

// undefine removes a definition and waits until its kind is no longer served.
func (e *environment) undefine(t *testing.T, resource schema.GroupVersionResource) {
	t.Helper()
	_ = e.dynamic.Resource(definitions).Delete(context.Background(), resource.GroupResource().String(), metav1.DeleteOptions{})
	eventually(t, resource.String()+" is gone", func(ctx context.Context) error {
		if _, err := e.dynamic.Resource(resource).List(ctx, metav1.ListOptions{}); err == nil {
			return fmt.Errorf("it is still served")
		}
		return nil
	})
}

// The scheduler runs before the definitions come. Each gang is declared by an
// object of its ecosystem, is told so in its status, and the kind goes again.
func TestEveryDialectWithDefinitions(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	for _, d := range []struct {
		definition string
		resource   schema.GroupVersionResource
		object     string
		edits      []func(*corev1.Pod)
		// status is a field of the object's status that says Running in the end.
		status []string
	}{
		{
			definition: "scheduler-plugins",
			resource:   podGroups,
			object: `{apiVersion: scheduling.x-k8s.io/v1alpha1, kind: PodGroup, metadata: {name: g},
				spec: {minMember: 3, scheduleTimeoutSeconds: 60}}`,
			edits:  []func(*corev1.Pod){labels("scheduling.x-k8s.io/pod-group", "g")},
			status: []string{"phase"},
		},
		{
			definition: "koordinator",
			resource:   schema.GroupVersionResource{Group: "scheduling.sigs.k8s.io", Version: "v1alpha1", Resource: "podgroups"},
			object:     `{apiVersion: scheduling.sigs.k8s.io/v1alpha1, kind: PodGroup, metadata: {name: g}, spec: {minMember: 3}}`,
			edits:      []func(*corev1.Pod){annotations("gang.scheduling.koordinator.sh/name", "g")},
			status:     []string{"phase"},
		},
		{
			definition: "kai",
			resource:   schema.GroupVersionResource{Group: "scheduling.run.ai", Version: "v2alpha2", Resource: "podgroups"},
			object:     `{apiVersion: scheduling.run.ai/v2alpha2, kind: PodGroup, metadata: {name: g}, spec: {minMember: 3, queue: default}}`,
			edits:      []func(*corev1.Pod){annotations("pod-group-name", "g")},
		},
		{
			definition: "volcano",
			resource:   volcanoPodGroups,
			object:     `{apiVersion: scheduling.volcano.sh/v1beta1, kind: PodGroup, metadata: {name: g}, spec: {minMember: 3}}`,
			edits:      []func(*corev1.Pod){annotations("scheduling.k8s.io/group-name", "g")},
			status:     []string{"phase"},
		},
		{
			definition: "jobset",
			resource:   schema.GroupVersionResource{Group: "jobset.x-k8s.io", Version: "v1alpha2", Resource: "jobsets"},
			object: `{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, metadata: {name: g}, spec: {replicatedJobs: [
				{name: workers, replicas: 1, template: {spec: {parallelism: 3, completions: 3, template: {}}}}]}}`,
			edits: []func(*corev1.Pod){owner("batch/v1", "Job", "g-workers-0"),
				labels("jobset.sigs.k8s.io/jobset-name", "g", "jobset.sigs.k8s.io/replicatedjob-name", "workers")},
		},
	} {
		t.Run(d.definition, func(t *testing.T) {
			e.define(t, d.definition, d.resource)
			ns := e.namespace(t)
			gang := e.madeByJobs(t, ns, gangOf("p", 3, 8, d.edits...))
			e.create(t, ns, gang...)
			e.create(t, ns, pod("single", 0))
			e.expectBound(t, ns, 1)
			declared := e.declare(t, ns, d.resource, d.object)
			e.expectBound(t, ns, 4)
			if d.status != nil {
				eventually(t, "the object's status says that the gang runs", func(ctx context.Context) error {
					got, err := e.dynamic.Resource(d.resource).Namespace(ns).Get(ctx, declared.GetName(), metav1.GetOptions{})
					if err != nil {
						return err
					}
					value, _, _ := unstructured.NestedString(got.Object, append([]string{"status"}, d.status...)...)
					if value != "Running" {
						return fmt.Errorf("status is %v", got.Object["status"])
					}
					return nil
				})
			}
			e.undefine(t, d.resource)
			// A kind that went takes its gangs along: pods of one wait again.
			later := gangOf("later", 3, 0, d.edits...)
			for _, p := range later {
				p.OwnerReferences = gang[0].OwnerReferences
			}
			e.create(t, ns, later...)
			e.create(t, ns, pod("single-later", 0))
			if strings.HasPrefix(d.definition, "scheduler-plugins") {
				e.expectHeld(t, ns, "later-0", "GangNotDeclared")
			}
		})
	}
}

// On a server with the gate, native pod groups need no translation.
func TestNativeGang(t *testing.T) {
	t.Parallel()
	e, err := newEnvironment(localcluster.Options{
		FeatureGates:  map[string]bool{"GenericWorkload": true},
		RuntimeConfig: []string{"scheduling.k8s.io/v1beta1=true"},
	}, 8)
	if err != nil {
		t.Fatalf("starting a control plane with the gate: %v", err)
	}
	t.Cleanup(e.Stop)
	e.scheduler(t)
	ns := e.namespace(t)
	group := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Name: "g"},
		Spec: schedulingv1beta1.PodGroupSpec{
			SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: 3}},
		},
	}
	if _, err := e.client.SchedulingV1beta1().PodGroups(ns).Create(t.Context(), group, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating the native pod group: %v", err)
	}
	name := "g"
	gang := gangOf("p", 3, 8, func(p *corev1.Pod) { p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name} })
	e.create(t, ns, gang[:2]...)
	e.create(t, ns, pod("single", 0))
	// The other dialects work beside it.
	e.create(t, ns, gangOf("q", 3, 8, ours("h", 3))...)
	e.expectBound(t, ns, 4)
	e.create(t, ns, gang[2])
	e.expectBound(t, ns, 7)
	eventually(t, "the native group's condition says so", func(ctx context.Context) error {
		got, err := e.client.SchedulingV1beta1().PodGroups(ns).Get(ctx, "g", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !apimeta.IsStatusConditionTrue(got.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled) {
			return fmt.Errorf("conditions are %v", got.Status.Conditions)
		}
		return nil
	})
}
