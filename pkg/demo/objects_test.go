package demo

import (
	"fmt"
	"strconv"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// podOf is a pod as the controller of a submission makes it.
func podOf(s Submission, index int) *v1.Pod {
	template := s.Template()
	pod := &v1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = namespace, fmt.Sprintf("%s-x%d", s.PodName(index), index)
	controller := true
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: s.Name + "-5c", UID: "5c", Controller: &controller}
	if !s.RunsOn() {
		owner = metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job", Name: s.Name, UID: "1", Controller: &controller}
		pod.Labels[batchv1.JobNameLabel] = s.Name
		pod.Labels[batchv1.JobCompletionIndexAnnotation] = strconv.Itoa(index)
		pod.Annotations[batchv1.JobCompletionIndexAnnotation] = strconv.Itoa(index)
	}
	pod.OwnerReferences = []metav1.OwnerReference{owner}
	return pod
}

func TestTemplate(t *testing.T) {
	for _, d := range dialects {
		template := Submission{Name: "train", Dialect: d.name, Size: 3, GPUs: 2}.Template()
		if template.Spec.SchedulerName != "berth" || template.Labels[submissionLabel] != "train" {
			t.Errorf("%s: a pod of %q is for scheduler %q", d.name, template.Labels[submissionLabel], template.Spec.SchedulerName)
		}
		if gpus := template.Spec.Containers[0].Resources.Requests[localcluster.GPUResource]; gpus.Value() != 2 {
			t.Errorf("%s: the pod asks for %d GPUs, want 2", d.name, gpus.Value())
		}
		if len(template.Annotations) == 0 {
			t.Errorf("%s: the pod states no size", d.name)
		}
		if _, limited := template.Annotations[localcluster.RunForAnnotation]; limited || template.Spec.ActiveDeadlineSeconds != nil {
			t.Errorf("%s: the pod does not run for ever", d.name)
		}
		for key, value := range template.Labels {
			if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
				t.Errorf("%s: label %s=%s is not valid", d.name, key, value)
			}
		}
	}
	if single := (Submission{Name: "notebook", Size: 1, GPUs: 1}).Template(); len(single.Labels) != 1 || len(single.Annotations) > 0 {
		t.Errorf("a single pod has the metadata of a gang: %v", single.ObjectMeta)
	}
}

// All pods of a gang run at one time; evictions neither end its Job nor hold it up for
// longer the more pods there were.
func TestJob(t *testing.T) {
	s := Submission{Name: "train", Dialect: "job", Size: 3, GPUs: 8}
	spec := s.Job().Spec
	if *spec.Completions != 3 || *spec.Parallelism != 3 || *spec.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("the job has %d completions and parallelism %d, %s", *spec.Completions, *spec.Parallelism, *spec.CompletionMode)
	}
	if spec.BackoffLimitPerIndex == nil || spec.BackoffLimit != nil {
		t.Error("the job counts failures for all pods together")
	}
	rules := spec.PodFailurePolicy.Rules
	if len(rules) != 1 || rules[0].Action != batchv1.PodFailurePolicyActionIgnore || rules[0].OnPodConditions[0].Type != v1.DisruptionTarget {
		t.Errorf("the job counts evictions: %v", rules)
	}
	if spec.Template.Spec.RestartPolicy != v1.RestartPolicyNever {
		t.Errorf("the pods' restart policy is %s; a failure policy needs Never", spec.Template.Spec.RestartPolicy)
	}
}

func TestDeployment(t *testing.T) {
	for _, test := range []struct {
		s    Submission
		want bool
	}{
		{Submission{Name: "notebook", Size: 1, GPUs: 1}, true},
		{Submission{Name: "release", Size: 1, GPUs: 8, Late: true}, false},
		{Submission{Name: "serve", Dialect: "kai", Size: 2, GPUs: 1}, false},
	} {
		if got := test.s.RunsOn(); got != test.want {
			t.Errorf("%s runs on: %t", test.s.Name, got)
		}
	}
	spec := Submission{Name: "notebook", Size: 1, GPUs: 1}.Deployment().Spec
	selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
	if err != nil || !selector.Matches(labels.Set(spec.Template.Labels)) {
		t.Errorf("the deployment does not select its pods: %v, %v", spec.Selector, err)
	}
	if *spec.Replicas != 1 || spec.Template.Spec.RestartPolicy != v1.RestartPolicyAlways {
		t.Errorf("the deployment has %d replicas of restart policy %s", *spec.Replicas, spec.Template.Spec.RestartPolicy)
	}
}

func TestRoster(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "kueue", Size: 3, GPUs: 8}
	single := Submission{Name: "s", Size: 1, GPUs: 1}
	r := Workload{Submissions: []Submission{gang, single}}.roster()
	index := func(text string) func(*v1.Pod) {
		return func(pod *v1.Pod) { pod.Labels[batchv1.JobCompletionIndexAnnotation] = text }
	}
	for _, test := range []struct {
		name string
		pod  v1.Pod
		want PodRef
		ours bool
	}{
		{"a member", seat(gang, 2, ""), PodRef{0, 2}, true},
		{"a single pod", seat(single, 0, ""), PodRef{1, 0}, true},
		{"another's", seat(Submission{Name: "x", Size: 1}, 0, ""), PodRef{}, false},
		{"elsewhere", seat(single, 0, "", func(pod *v1.Pod) { pod.Namespace = "kube-system" }), PodRef{}, false},
		{"beyond the gang", seat(gang, 0, "", index("3")), PodRef{}, false},
		{"no index", seat(gang, 0, "", index("first")), PodRef{}, false},
	} {
		if got, ours := r.ref(&test.pod); got != test.want || ours != test.ours {
			t.Errorf("%s: got %v, %t, want %v, %t", test.name, got, ours, test.want, test.ours)
		}
	}
}
