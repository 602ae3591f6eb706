package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// A scheduler is killed while it evicts a gang for another one, after some of the pods have
// been asked to go. The next one evicts the rest before it does anything else: no gang runs
// on with part of its pods.
func TestLeaderIsKilledWhileEvicting(t *testing.T) {
	e := stock(t)
	const (
		kills = 5
		size  = nodes // of one GPU each
		gangs = nodeGPUs
	)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ns := e.namespace(t)
	e.queue(t, "owner", fmt.Sprintf(`{namespaces: [%s], resources: [{name: nvidia.com/gpu, guaranteed: %d, weight: 0}]}`, ns, nodes*nodeGPUs))
	e.queue(t, "borrower", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	leader := e.scheduler(t)
	slow := func(p *corev1.Pod) { grace := int64(3); p.Spec.TerminationGracePeriodSeconds = &grace }
	for i := range gangs {
		name := fmt.Sprint("borrower-", i)
		e.create(t, ns, gangOf(name, size, 1, inQueue("borrower"), ours(name, size), slow)...)
	}
	e.expectByQueue(t, ns, map[string]int{"borrower": gangs * size})
	for kill := range kills {
		moment := 1 + random.IntN(size/2)
		name := fmt.Sprint("owner-", kill)
		e.createBehind(t, ns, gangOf(name, size, 1, inQueue("owner"), ours(name, size))...)
		leaving := e.awaitEvicted(t, ns, (gangs-kill)*size, moment)
		leader.Kill()
		leader = e.scheduler(t)
		e.expectByQueue(t, ns, map[string]int{"borrower": (gangs - kill - 1) * size, "owner": (kill + 1) * size})
		left, err := e.gangsLeft(t.Context(), ns)
		if err != nil {
			t.Fatal(err)
		}
		for gang, n := range left {
			if n != size {
				t.Errorf("kill %d after %d evictions: %d of %d pods of gang %s are left", kill+1, leaving, n, size, gang)
			}
		}
		t.Logf("kill %d after %d evictions", kill+1, leaving)
	}
}

// awaitEvicted waits until so many of all pods of the borrower are being deleted or are gone,
// and returns how many are: on a slow machine the first may be gone before the last is asked.
func (e *environment) awaitEvicted(t *testing.T, namespace string, all, want int) int {
	t.Helper()
	evicted := 0
	err := wait.PollUntilContextTimeout(t.Context(), 2*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "berth.dev/queue=borrower", ResourceVersion: "0"})
		if err != nil {
			return false, err
		}
		evicted = all
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil {
				evicted--
			}
		}
		return evicted >= want, nil
	})
	if err != nil {
		t.Fatalf("%d pods are evicted, want %d: %v", evicted, want, err)
	}
	return evicted
}
