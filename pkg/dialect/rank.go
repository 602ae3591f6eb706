package dialect

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// indexes are the labels, in order, that give a pod's index where it has no rank of
// our own. Annotations of the same keys count too: Job wrote its index there first.
var indexes = [...]string{
	"batch.kubernetes.io/job-completion-index",
	jobSetJobIndex,
	leaderWorkerSetWorkerLabel,
	"training.kubeflow.org/replica-index",
	kueueGroupIndex,
	volcanoTaskIndex,
	koordinatorIndex,
	"apps.kubernetes.io/pod-index",
}

// roles are the labels, in order, that give a pod's part in its gang.
var roles = [...]string{
	kaiSubGroupLabel,
	jobSetReplicatedJobLabel,
	volcanoTaskLabel,
	"training.kubeflow.org/replica-type",
	"ray.io/group",
	kueueGroupRole,
}

// jobStride is the distance of the ranks of two jobs of one JobSet, which is more
// than the number of pods that a Job can index.
const jobStride = 1 << 20

// rankOf reads the rank of a pod; -1 if it has none. Only our own annotation is
// refused if it cannot be read.
func rankOf(pod *corev1.Pod) (int64, *gang.Fault) {
	n, fault := wholeNumber(pod.Annotations, berthRank, annotation)
	switch {
	case fault != nil:
		return -1, fault
	case n != nil && *n < 0:
		return -1, malformed("annotation %s is %q; expected at least 0", berthRank, clip(pod.Annotations[berthRank]))
	case n != nil:
		return *n, nil
	}
	rank := int64(-1)
	for _, key := range indexes {
		if rank = index(pod, key); rank >= 0 {
			break
		}
	}
	if pod.Labels[jobSetNameLabel] == "" {
		return rank, nil
	}
	job := index(pod, jobSetGlobalIndex)
	if job < 0 {
		job = index(pod, jobSetJobIndex)
	}
	if job < 0 {
		return rank, nil
	}
	within := max(index(pod, indexes[0]), 0)
	return job*jobStride + within%jobStride, nil
}

// index reads a label or annotation that holds an index; -1 if it holds none.
func index(pod *corev1.Pod, key string) int64 {
	s := pod.Labels[key]
	if s == "" {
		s = pod.Annotations[key]
	}
	if s == "" {
		return -1
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// roleOf reads the part that a pod plays in its gang; "" if it has none.
func roleOf(pod *corev1.Pod) string {
	for _, key := range roles {
		if role := pod.Labels[key]; role != "" {
			return role
		}
	}
	return pod.Annotations[yunikornTaskGroup]
}
