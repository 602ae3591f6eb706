package demo

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// submissionLabel names the submission that a pod is of.
const submissionLabel = "app.kubernetes.io/instance"

// RunsOn reports whether a submission never ends by itself, and is a Deployment: a single
// pod, such as a notebook. All else is a Job.
func (s Submission) RunsOn() bool { return !s.Gang() && !s.Late }

// Template is what the controllers make each of its pods from, as its user would write it.
func (s Submission) Template() v1.PodTemplateSpec {
	gpus := int64(s.GPUs)
	requests := v1.ResourceList{
		v1.ResourceCPU:           *resource.NewQuantity(gpus*cpusPerGPU, resource.DecimalSI),
		v1.ResourceMemory:        *resource.NewQuantity(gpus*memoryPerGPU, resource.BinarySI),
		localcluster.GPUResource: *resource.NewQuantity(gpus, resource.DecimalSI),
	}
	template := v1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{submissionLabel: s.Name}, Annotations: map[string]string{}},
		Spec: v1.PodSpec{
			SchedulerName: schedulerName,
			RestartPolicy: v1.RestartPolicyNever,
			Containers: []v1.Container{{
				Name:  "main",
				Image: "example/train",
				Resources: v1.ResourceRequirements{
					Requests: requests,
					Limits:   v1.ResourceList{localcluster.GPUResource: requests[localcluster.GPUResource]},
				},
			}},
		},
	}
	if s.RunsOn() {
		template.Spec.RestartPolicy = v1.RestartPolicyAlways
	}
	declare(&template.ObjectMeta, s)
	return template
}

// Job is the Job of a submission. All its pods run at one time, and one that fails ends it.
// The package doc says why evictions need the two settings that they are given here.
func (s Submission) Job() *batchv1.Job {
	size, none, indexed := int32(s.Size), int32(0), batchv1.IndexedCompletion
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: s.Name},
		Spec: batchv1.JobSpec{
			CompletionMode:       &indexed,
			Completions:          &size,
			Parallelism:          &size,
			BackoffLimitPerIndex: &none,
			MaxFailedIndexes:     &none,
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action:          batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: v1.DisruptionTarget, Status: v1.ConditionTrue}},
			}}},
			Template: s.Template(),
		},
	}
}

// Deployment is the Deployment of a submission that runs on.
func (s Submission) Deployment() *appsv1.Deployment {
	size := int32(s.Size)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: s.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &size,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{submissionLabel: s.Name}},
			Template: s.Template(),
		},
	}
}

// A roster tells which pod of a workload a pod of the API is.
type roster struct {
	sizes []int
	index map[string]int // submission by name
}

func (w Workload) roster() roster {
	r := roster{index: make(map[string]int, len(w.Submissions))}
	for i, s := range w.Submissions {
		r.sizes = append(r.sizes, s.Size)
		r.index[s.Name] = i
	}
	return r
}

// ref is the pod of the workload that pod is, or was; none if it is another's.
func (r roster) ref(pod *v1.Pod) (ref PodRef, ours bool) {
	if pod.Namespace != namespace {
		return PodRef{}, false
	}
	submission, ours := r.index[pod.Labels[submissionLabel]]
	if !ours {
		return PodRef{}, false
	}
	index := 0
	if text, indexed := pod.Labels[batchv1.JobCompletionIndexAnnotation]; indexed {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n >= r.sizes[submission] {
			return PodRef{}, false
		}
		index = n
	}
	return PodRef{submission, index}, true
}
