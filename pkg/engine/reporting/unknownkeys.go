package reporting

import (
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/record"
)

const (
	// ReasonUnknownKey is that of the event about a pod with a label or annotation that has
	// Berth's prefix and that Berth does not know.
	ReasonUnknownKey = "UnknownKey"

	// unknownKeyEvents and unknownKeyBurst bound these events: so many a second, and so many at
	// once.
	unknownKeyEvents = 1.0
	unknownKeyBurst  = 20
	// mostOwnersTold is how many owners are remembered that were told.
	mostOwnersTold = 4096
)

// UnknownKeys warns of labels and annotations of waiting pods that look like Berth's and are
// none, such as berth.dev/gangsize: the pods are placed as if they were not there. There is one
// event for each owner of pods.
type UnknownKeys struct {
	ours    func(scheduler string) bool
	leading func() bool
	to      events.EventRecorder
	limiter flowcontrol.PassiveRateLimiter

	mu sync.Mutex
	// told are the owners, and pods without one, of which it was said.
	told map[types.UID]bool
}

// NewUnknownKeys returns one that looks at the pods of our schedulers, while this one leads.
func NewUnknownKeys(ours func(scheduler string) bool, leading func() bool, to events.EventRecorder) *UnknownKeys {
	return &UnknownKeys{
		ours: ours, leading: leading, to: to, told: map[types.UID]bool{},
		limiter: flowcontrol.NewTokenBucketPassiveRateLimiter(unknownKeyEvents, unknownKeyBurst),
	}
}

// SetPod takes in a pod.
func (k *UnknownKeys) SetPod(pod *corev1.Pod) {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || !k.ours(pod.Spec.SchedulerName) || !k.leading() {
		return
	}
	sentences := dialect.UnknownKeys(pod)
	if len(sentences) == 0 || !k.first(pod) {
		return
	}
	note := strings.Join(sentences, "; ")
	klog.Background().Info("A pod has labels or annotations with Berth's prefix that are unknown", "pod", klog.KObj(pod), "unknown", note)
	var related runtime.Object
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		related = &corev1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: pod.Namespace, Name: owner.Name, UID: owner.UID}
	}
	record.Event(k.to, record.PodReference(pod.Namespace, pod.Name, pod.UID), related, corev1.EventTypeWarning, ReasonUnknownKey, "Scheduling", note)
}

// first reports whether the owner of a pod is to be told: it was not, and not too many were a
// moment ago.
func (k *UnknownKeys) first(pod *corev1.Pod) bool {
	who := pod.UID
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		who = owner.UID
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.told[who] || !k.limiter.TryAccept() {
		return false
	}
	if len(k.told) >= mostOwnersTold {
		clear(k.told)
	}
	k.told[who] = true
	return true
}
