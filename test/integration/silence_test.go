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

// silence is how long a pod may wait without a condition that says why.
const silence = 15 * time.Second

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
		since := map[types.UID]time.Time{}
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
			since = silent(pods.Items, since, time.Now())
			for i := range pods.Items {
				pod := &pods.Items[i]
				if began, is := since[pod.UID]; is && time.Since(began) > silence {
					t.Errorf("pod %s/%s has waited for %s without a word; conditions %s", pod.Namespace, pod.Name, time.Since(began).Round(time.Second), fmt.Sprint(pod.Status.Conditions))
					since[pod.UID] = time.Now().Add(time.Hour) // once is enough
				}
			}
		}
	}()
}

// silent returns since when each pod that waits has been without a reason.
func silent(pods []corev1.Pod, before map[types.UID]time.Time, now time.Time) map[types.UID]time.Time {
	after := map[types.UID]time.Time{}
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || explained(pod) {
			continue
		}
		after[pod.UID] = now
		if began, is := before[pod.UID]; is {
			after[pod.UID] = began
		}
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
