package enginetest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Epoch is when the clocks of tests begin.
var Epoch = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// NoSink is told of the verdicts on gangs, and does nothing.
type NoSink struct{}

// Publish does nothing, as do all of its methods.
func (NoSink) Publish(gang.Group) {}

// Withdraw does nothing.
func (NoSink) Withdraw(gang.Key) {}

// Cleared does nothing.
func (NoSink) Cleared(gang.Key) {}

// Changed does nothing.
func (NoSink) Changed(gang.Key) {}

// Marker is a gang that changes last: whoever hears of it has heard of all that changed before.
var Marker = gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "sync-marker"}

// MarkerPod is a pod of the marker, another one for each number.
func MarkerPod(number int64) *corev1.Pod {
	pod := Pod(Marker.Name)
	pod.Labels = map[string]string{"berth.dev/gang": Marker.Name}
	pod.CreationTimestamp = metav1.Unix(number, 0)
	return pod
}

// SyncSink is told of the verdicts on gangs, and hears of the marker alone.
type SyncSink struct {
	NoSink
	reached chan struct{}
	waits   int64
}

// NewSyncSink makes a sink.
func NewSyncSink() *SyncSink { return &SyncSink{reached: make(chan struct{}, 1)} }

// Changed hears of a gang.
func (s *SyncSink) Changed(key gang.Key) {
	if key == Marker {
		s.reached <- struct{}{}
	}
}

// Wait waits until everything has been taken in that was set so far, by what sets a pod.
func (s *SyncSink) Wait(set func(pod *corev1.Pod)) {
	s.waits++
	set(MarkerPod(s.waits))
	<-s.reached
}
