package integration

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A standby has heard of everything that the leader placed while it waited.
// When it takes over, it goes on with those that wait now, and not with those; more of them
// than are tried at a time.
func TestStandbyTakesOver(t *testing.T) { bothWays(t, testStandbyTakesOver) }

func testStandbyTakesOver(t *testing.T, e *environment, queued bool) {
	var queue []func(*corev1.Pod)
	if queued {
		e.queue(t, "takeover", `{namespaceSelector: {}, resources: [{name: nvidia.com/gpu, guaranteed: 64}]}`)
		queue = append(queue, inQueue("takeover"))
	}
	args := []string{"--leader-elect=true", "--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms"}
	before := e.holder(t)
	leader := e.scheduler(t, args...)
	e.expectLeader(t, before)
	standby := e.scheduler(t, args...)
	ns := e.namespace(t)
	const each = 24
	pods := func(prefix string) []*corev1.Pod {
		var out []*corev1.Pod
		for i := range each {
			out = append(out, pod(fmt.Sprintf("%s-%d", prefix, i), 1, queue...))
		}
		return append(out, gangOf(prefix+"-gang", 4, 1, append(queue, ours(prefix, 4))...)...)
	}
	e.create(t, ns, pods("first")...)
	e.expectBound(t, ns, each+4)
	holder := e.holder(t)
	leader.Kill()
	e.expectLeader(t, holder)
	start := time.Now()
	e.create(t, ns, pods("second")...)
	e.expectBound(t, ns, 2*(each+4))
	t.Logf("the new leader placed %d pods in %s", each+4, time.Since(start).Round(time.Millisecond))
	standby.Kill()
}
