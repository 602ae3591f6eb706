package dialect

import corev1 "k8s.io/api/core/v1"

// Labels and annotations of our own.
const (
	berthGangLabel  = "berth.dev/gang"
	berthQueueLabel = "berth.dev/queue"
	berthGangSize   = "berth.dev/gang-size"
	berthRank       = "berth.dev/rank"

	berthRequiredTopology  = "berth.dev/required-topology"
	berthPreferredTopology = "berth.dev/preferred-topology"
	berthSegmentSize       = "berth.dev/segment-size"
	berthSegmentTopology   = "berth.dev/segment-topology"
)

func berthGang(pod *corev1.Pod) statement {
	return named(pod.Labels[berthGangLabel], "label "+berthGangLabel)
}
