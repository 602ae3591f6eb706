package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// silence is how long a pod may wait without a condition that says why, and silenceEach how
// much longer for each pod that waits without one beside it: an API server on two cores takes
// about 100 conditions a second while it creates and binds pods.
const (
	silence     = 15 * time.Second
	silenceEach = 10 * time.Millisecond
)

// silentPod is a pod that waits without a condition: since when, and the most such pods that
// were seen at once since then.
type silentPod struct {
	since time.Time
	most  int
}

// limit is how long the pod may wait in silence.
func (p silentPod) limit() time.Duration {
	return silence + time.Duration(p.most)*silenceEach
}

// watchSilence fails the test if a pod that names Berth waits in silence while the
// scheduler runs: without a condition that says why, for longer than may be.
func (e *environment) watchSilence(t *testing.T, program *localcluster.Program) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		waiting := map[types.UID]silentPod{}
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-program.Exited():
				return
			case <-ticker.C:
			}
			// A failed list says nothing: what was known goes on.
			pods, err := e.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
				FieldSelector: "spec.schedulerName=berth,spec.nodeName=", ResourceVersion: "0"})
			if err != nil {
				continue
			}
			now := time.Now()
			waiting = silent(pods.Items, waiting, now)
			for i := range pods.Items {
				pod := &pods.Items[i]
				if p, is := waiting[pod.UID]; is && now.Sub(p.since) > p.limit() {
					t.Errorf("pod %s/%s has waited for %s without a word, as %d others did; conditions %s", pod.Namespace, pod.Name,
						now.Sub(p.since).Round(time.Second), p.most-1, fmt.Sprint(pod.Status.Conditions))
					waiting[pod.UID] = silentPod{since: now.Add(time.Hour)} // once is enough
				}
			}
		}
	}()
}

// silent returns the pods that wait without a reason, given those that did before.
func silent(pods []corev1.Pod, before map[types.UID]silentPod, now time.Time) map[types.UID]silentPod {
	after := map[types.UID]silentPod{}
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || explained(pod) {
			continue
		}
		after[pod.UID] = silentPod{since: now}
		if p, is := before[pod.UID]; is {
			after[pod.UID] = p
		}
	}
	for uid, p := range after {
		p.most = max(p.most, len(after))
		after[uid] = p
	}
	return after
}

// explained reports whether a pod says why it waits.
func explained(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			return c.Status == corev1.ConditionFalse && c.Reason != "" && c.Message != ""
		}
	}
	return false
}
