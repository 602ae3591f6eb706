package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// The namespaces of the pods that are measured, and of those that fill the cluster.
	measuredNamespace = "measured"
	filledNamespace   = "filled"
	// runLabel has the role of a pod in a run: measured or hopeless.
	runLabel = "scale.berth.dev/role"
	measured = "measured"
	hopeless = "hopeless"
)

// podSpec says what differs between pods.
type podSpec struct {
	name, namespace, role string
	scheduler, node       string
	gpus, cpus            int
	// group is the PodGroup of a member of a gang, owner the name of a Job that made the pod.
	group, owner string
}

// pod returns a pod that is as large as one that a training operator makes: environment,
// volumes, tolerations, probes.
func (s podSpec) pod() *corev1.Pod {
	amount := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(max(1, s.cpus)), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(max(1, s.cpus))<<30, resource.BinarySI),
	}
	if s.gpus > 0 {
		amount[schedulers.GPU] = *resource.NewQuantity(int64(s.gpus), resource.DecimalSI)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name, Namespace: s.namespace,
			Labels: map[string]string{
				runLabel: s.role, "app.kubernetes.io/name": "trainer", "app.kubernetes.io/part-of": "research", "team": "vision",
			},
			Annotations: map[string]string{
				"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
				"example.com/config-hash": strings.Repeat("0123456789abcdef", 4),
			},
		},
		Spec: corev1.PodSpec{
			SchedulerName: s.scheduler, NodeName: s.node,
			TerminationGracePeriodSeconds: new(int64(0)),
			RestartPolicy:                 corev1.RestartPolicyNever,
			Tolerations: []corev1.Toleration{
				{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
				{Key: "example.com/reserved", Operator: corev1.TolerationOpEqual, Value: "research", Effect: corev1.TaintEffectNoSchedule},
			},
			Volumes: []corev1.Volume{
				{Name: "shared-memory", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "trainer"}, Optional: new(true)}}},
			},
			Containers: []corev1.Container{{
				Name: "main", Image: "registry.example.com/research/trainer:2026.11.1@sha256:" + strings.Repeat("ab", 32),
				Command: []string{"torchrun", "--nnodes=16", "--nproc-per-node=8", "--rdzv-backend=c10d", "train.py", "--config=/config/train.yaml"},
				Env:     environment(),
				VolumeMounts: []corev1.VolumeMount{
					{Name: "shared-memory", MountPath: "/dev/shm"}, {Name: "scratch", MountPath: "/scratch"}, {Name: "config", MountPath: "/config"},
				},
				Ports:     []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9090}, {Name: "rendezvous", ContainerPort: 29500}},
				Resources: corev1.ResourceRequirements{Requests: amount, Limits: amount},
			}},
		},
	}
	if s.group != "" {
		pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &s.group}
	}
	if s.owner != "" {
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "batch/v1", Kind: "Job", Name: s.owner, UID: types.UID(s.owner), Controller: new(true),
		}}
	}
	return pod
}

// environment is that of one rank of a training job.
func environment() []corev1.EnvVar {
	var out []corev1.EnvVar
	for i := range 24 {
		out = append(out, corev1.EnvVar{Name: fmt.Sprintf("TRAINER_OPTION_%02d", i), Value: fmt.Sprintf("value-of-option-%02d-that-is-not-short", i)})
	}
	for _, field := range []string{"metadata.name", "metadata.namespace", "status.podIP", "spec.nodeName"} {
		name := strings.ToUpper(strings.NewReplacer(".", "_").Replace(field))
		out = append(out, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}})
	}
	return out
}

// podGroup returns a native PodGroup of a gang, which has to be in one rack if asked for.
func podGroup(name string, size int, rack bool) *unstructured.Unstructured {
	spec := map[string]any{"schedulingPolicy": map[string]any{"gang": map[string]any{"minCount": int64(size)}}}
	if rack {
		spec["schedulingConstraints"] = map[string]any{"topology": []any{map[string]any{"key": localcluster.RackLabel}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PodGroup",
		"metadata": map[string]any{"name": name, "namespace": measuredNamespace},
		"spec":     spec,
	}}
}
