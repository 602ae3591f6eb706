package dialect

// Queue reads the queue that a pod or group object names; "" if it names none. The
// first of these that is set decides: the labels berth.dev/queue,
// kueue.x-k8s.io/queue-name, kai.scheduler/queue, yunikorn.apache.org/queue,
// queue and quota.scheduling.koordinator.sh/name; the annotation
// scheduling.volcano.sh/queue-name. The label "queue" counts only on an object
// that is YuniKorn's by another mark, for applications use that word for queues of
// their own.
func Queue(labels, annotations map[string]string) string {
	if len(labels) > 0 {
		for _, key := range [...]string{berthQueueLabel, kueueQueueLabel, kaiQueueLabel, yunikornQueueLabel} {
			if name := labels[key]; name != "" {
				return name
			}
		}
		if name := labels[yunikornOldQueueLabel]; name != "" && isYuniKorn(labels, annotations) {
			return name
		}
		if name := labels[koordinatorQueueLabel]; name != "" {
			return name
		}
	}
	return annotations[volcanoQueueName]
}

// isYuniKorn reports whether an object carries a mark of a YuniKorn application.
func isYuniKorn(labels, annotations map[string]string) bool {
	return labels[yunikornAppLabel] != "" || labels[yunikornOldAppLabel] != "" ||
		labels[yunikornSparkAppLabel] != "" || annotations[yunikornAppLabel] != "" ||
		annotations[yunikornTaskGroup] != ""
}
