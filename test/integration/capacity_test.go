package integration

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// Two gangs that need 60 % of the cluster each: one runs, the other holds nothing
// until so much of the first has ended that there is room for all of it.
func TestTwoGangsThatDoNotFitTogether(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	size := nodes * 6 / 10
	running := annotations("berth.dev/simulate-run-for", "5s")
	e.create(t, ns, interleave(gangOf("a", size, nodeGPUs, ours("a", size), running), gangOf("b", size, nodeGPUs, ours("b", size), running))...)

	watcher := e.watchGangs(t, ns)
	done := map[string]int{}
	first, second := "", ""
	for done["a"] < size || done["b"] < size {
		event := watcher.next(t)
		switch a, b := event.held["a"], event.held["b"]; {
		case first == "" && a > 0:
			first, second = "a", "b"
		case first == "" && b > 0:
			first, second = "b", "a"
		}
		if f, s := event.held[first], event.held[second]; s > 0 && f > nodes-size {
			t.Fatalf("gang %s holds %d places while gang %s, which needs %d of %d nodes, holds %d", second, s, first, size, nodes, f)
		}
		done = event.succeeded
	}
}

// A thousand gangs at once on a cluster that fits a tenth of them: all are done in
// the end, and no gang ever stays with half of its members.
func TestThousandGangs(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	const gangs = 1000
	// 2 to 4 pods of 1, 2 or 4 GPUs: a mean of 7 GPUs a gang, 512 in the cluster.
	random := rand.New(rand.NewPCG(1, 1))
	size := map[string]int{}
	var pods []*corev1.Pod
	gpus := 0
	for i := range gangs {
		name := fmt.Sprintf("g%d", i)
		size[name] = 2 + random.IntN(3)
		each := int64(1) << random.IntN(3)
		gpus += size[name] * int(each)
		pods = append(pods, gangOf(name, size[name], each, ours(name, size[name]), annotations("berth.dev/simulate-run-for", "2s"))...)
	}
	random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	t.Logf("%d pods of %d gangs ask for %d GPUs, %.1f times what there is", len(pods), gangs, gpus, float64(gpus)/(nodes*nodeGPUs))

	watcher := e.watchGangs(t, ns)
	e.createBehind(t, ns, pods...)
	half := map[string]time.Time{}
	finished := 0
	for finished < gangs {
		event := watcher.next(t)
		name := event.changed
		bound := event.held[name] + event.succeeded[name]
		switch {
		case bound == 0 || bound >= size[name]:
			delete(half, name)
		default:
			if _, known := half[name]; !known {
				half[name] = time.Now()
			}
		}
		for other, since := range half {
			if age := time.Since(since); age > 20*time.Second {
				t.Fatalf("gang %s has had %d of %d pods bound for %s", other, event.held[other]+event.succeeded[other], size[other], age)
			}
		}
		if event.succeeded[name] == size[name] && event.ended {
			finished++
		}
	}
}

// gangEvent is the state of all gangs after one change of a pod.
type gangEvent struct {
	// changed is the gang whose pod changed; ended says that the pod has just ended.
	changed string
	ended   bool
	// held counts the bound pods that have not ended, succeeded those that have.
	held, succeeded map[string]int
}

// gangWatcher turns the changes of pods into states of gangs.
type gangWatcher struct {
	pods  chan *corev1.Pod
	state map[string]string
	gangEvent
}

// watchGangs watches the gangs of a namespace from its first pod on.
func (e *environment) watchGangs(t *testing.T, namespace string) *gangWatcher {
	t.Helper()
	w := &gangWatcher{
		pods:      make(chan *corev1.Pod, 100_000),
		state:     map[string]string{},
		gangEvent: gangEvent{held: map[string]int{}, succeeded: map[string]int{}},
	}
	send := func(obj any) {
		select {
		case w.pods <- obj.(*corev1.Pod):
		case <-t.Context().Done():
		}
	}
	informer := coreinformers.NewPodInformer(e.client, namespace, 0, cache.Indexers{})
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: send, UpdateFunc: func(_, obj any) { send(obj) }})
	if err != nil {
		t.Fatalf("watching pods: %v", err)
	}
	go informer.RunWithContext(t.Context())
	if !cache.WaitForCacheSync(t.Context().Done(), registration.HasSynced) {
		t.Fatal("the watch of pods did not start")
	}
	return w
}

// next returns the state after the next change.
func (w *gangWatcher) next(t *testing.T) gangEvent {
	t.Helper()
	for {
		var p *corev1.Pod
		select {
		case p = <-w.pods:
		case <-time.After(patience):
			t.Fatalf("no pod changed for %s; held %v", patience, w.held)
		}
		state := "pending"
		switch {
		case p.Status.Phase == corev1.PodSucceeded:
			state = "succeeded"
		case p.Spec.NodeName != "":
			state = "held"
		}
		before := w.state[p.Name]
		if state == before {
			continue
		}
		w.state[p.Name] = state
		gang := p.Labels["berth.dev/gang"]
		if before == "held" {
			w.held[gang]--
		}
		switch state {
		case "held":
			w.held[gang]++
		case "succeeded":
			w.succeeded[gang]++
		}
		w.changed, w.ended = gang, state == "succeeded"
		return w.gangEvent
	}
}

// interleave takes from two slices in turn.
func interleave(a, b []*corev1.Pod) []*corev1.Pod {
	var out []*corev1.Pod
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			out = append(out, a[i])
		}
		if i < len(b) {
			out = append(out, b[i])
		}
	}
	return out
}
