package dialect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations of Kueue's pod groups and topology requests.
const (
	kueueQueueLabel    = "kueue.x-k8s.io/queue-name"
	kueueGroupLabel    = "kueue.x-k8s.io/pod-group-name"
	kueueGroupRole     = "kueue.x-k8s.io/pod-group-role"
	kueueGroupIndex    = "kueue.x-k8s.io/pod-group-pod-index"
	kueueGroupSize     = "kueue.x-k8s.io/pod-group-total-count"
	kueueFastAdmission = "kueue.x-k8s.io/pod-group-fast-admission"

	// kueueWorkload is on the pods of what Kueue has admitted.
	kueueWorkload = "kueue.x-k8s.io/workload"

	kueueRequiredTopology  = "kueue.x-k8s.io/podset-required-topology"
	kueuePreferredTopology = "kueue.x-k8s.io/podset-preferred-topology"
	kueueSliceTopology     = "kueue.x-k8s.io/podset-slice-required-topology"
	kueueSliceSize         = "kueue.x-k8s.io/podset-slice-size"
)

// kueueGang reads the pod group label. Kueue admits a group with fast admission
// when its first pod appears and creates no expectation that the others ever wait
// for each other, so it is no gang: those of a StatefulSet come one by one, each
// once the one before it is ready.
func kueueGang(pod *corev1.Pod) statement {
	name := pod.Labels[kueueGroupLabel]
	if name == "" || pod.Annotations[kueueFastAdmission] == "true" {
		return statement{}
	}
	return statement{name: name, at: "label " + kueueGroupLabel}
}

func kueueSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	return wholeNumber(pod.Annotations, kueueGroupSize, annotation)
}

// kueueTopology reads one of Kueue's asks for a topology. They are asks of a pod set, and a
// gang may have several: the head of a RayCluster and its workers. Kueue has decided those of
// what it has admitted, for each pod set, and its pods are pinned; nothing is left to ask for.
func kueueTopology(annotations map[string]string, key string) string {
	if annotations[kueueWorkload] != "" {
		return ""
	}
	return annotations[key]
}
