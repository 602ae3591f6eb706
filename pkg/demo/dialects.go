package demo

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dialects say on a pod's template what gang the pod belongs to, how many pods that takes, which level of
// the fabric the gang asks for, and which queue pays for it.
var dialects = [...]struct {
	name string
	say  func(pod *metav1.ObjectMeta, gang, size string)
	// queue is the label that names the queue, or, for Volcano, the annotation.
	queue string
	// ask is askBerth where a dialect has no words for levels on a pod.
	ask func(pod *metav1.ObjectMeta, required, preferred Level)
	// one says that a gang can either require a level or prefer one in it.
	one bool
}{
	{name: "berth", queue: berthQueue, say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Labels["berth.dev/gang"] = gang
		pod.Annotations["berth.dev/gang-size"] = size
	}, ask: askBerth},
	{name: "scheduler-plugins", queue: berthQueue, say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Labels["scheduling.x-k8s.io/pod-group"] = gang
		pod.Annotations["berth.dev/gang-size"] = size
	}, ask: askBerth},
	{name: "kueue", queue: "kueue.x-k8s.io/queue-name", say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Labels["kueue.x-k8s.io/pod-group-name"] = gang
		pod.Annotations["kueue.x-k8s.io/pod-group-total-count"] = size
	}, ask: askKueue, one: true},
	{name: "kai", queue: "kai.scheduler/queue", say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Annotations["pod-group-name"] = gang
		pod.Annotations["kai.scheduler/batch-min-member"] = size
	}, ask: askKAI},
	{name: "volcano", queue: "scheduling.volcano.sh/queue-name", say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Annotations["scheduling.k8s.io/group-name"] = gang
		pod.Annotations["scheduling.volcano.sh/group-min-member"] = size
	}, ask: askVolcano, one: true},
	{name: "yunikorn", queue: "yunikorn.apache.org/queue", say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Labels["applicationId"] = gang
		pod.Annotations["yunikorn.apache.org/task-group-name"] = "workers"
		pod.Annotations["yunikorn.apache.org/task-groups"] = fmt.Sprintf(`[{"name":"workers","minMember":%s}]`, size)
	}, ask: askBerth},
	{name: "koordinator", queue: "quota.scheduling.koordinator.sh/name", say: func(pod *metav1.ObjectMeta, gang, size string) {
		pod.Annotations["gang.scheduling.koordinator.sh/name"] = gang
		pod.Annotations["gang.scheduling.koordinator.sh/min-available"] = size
	}, ask: askBerth},
	// The Job is the gang: all that is said is its size.
	{name: "job", queue: berthQueue, say: func(pod *metav1.ObjectMeta, _, size string) {
		pod.Annotations["berth.dev/gang-size"] = size
	}, ask: askBerth},
}

func askBerth(pod *metav1.ObjectMeta, required, preferred Level) {
	annotate(pod, "berth.dev/required-topology", string(required))
	annotate(pod, "berth.dev/preferred-topology", string(preferred))
}

func askKueue(pod *metav1.ObjectMeta, required, preferred Level) {
	annotate(pod, "kueue.x-k8s.io/podset-required-topology", required.label())
	annotate(pod, "kueue.x-k8s.io/podset-preferred-topology", preferred.label())
}

func askKAI(pod *metav1.ObjectMeta, required, preferred Level) {
	annotate(pod, "kai.scheduler/topology-required-placement", required.label())
	annotate(pod, "kai.scheduler/topology-preferred-placement", preferred.label())
}

// askVolcano asks for a tier: racks are the nearest.
func askVolcano(pod *metav1.ObjectMeta, required, preferred Level) {
	mode, level := "hard", required
	if required == "" {
		mode, level = "soft", preferred
	}
	tiers := map[Level]string{rackLevel: "1", blockLevel: "2"}
	annotate(pod, "volcano.sh/network-topology-mode", mode)
	annotate(pod, "volcano.sh/network-topology-highest-tier", tiers[level])
}

// annotate writes an annotation that says something.
func annotate(pod *metav1.ObjectMeta, key, value string) {
	if value != "" {
		pod.Annotations[key] = value
	}
}

// saysBoth reports whether a gang can require a level and prefer another in a dialect.
func saysBoth(dialect string) bool {
	for _, d := range dialects {
		if d.name == dialect {
			return !d.one
		}
	}
	panic("no dialect " + dialect)
}

// berthQueue is the label that names a queue in our own words.
const berthQueue = "berth.dev/queue"

// declare says on a pod which queue pays for it, that it belongs to a gang, and what the
// gang asks for.
func declare(pod *metav1.ObjectMeta, s Submission) {
	if !s.Gang() {
		if s.Queue != "" {
			pod.Labels[berthQueue] = s.Queue
		}
		return
	}
	for _, d := range dialects {
		if d.name != s.Dialect {
			continue
		}
		d.say(pod, s.Name, strconv.Itoa(s.Size))
		if s.Required != "" || s.Preferred != "" {
			d.ask(pod, s.Required, s.Preferred)
		}
		switch {
		case s.Queue == "":
		case d.name == "volcano":
			pod.Annotations[d.queue] = s.Queue
		default:
			pod.Labels[d.queue] = s.Queue
		}
		return
	}
	panic("no dialect " + s.Dialect)
}
