package gangtable

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// twin keeps the pods and objects that exist, and works everything else out from
// scratch. Of the past it knows what nobody can work out: who was placed, who is
// releasing, and how many members were bound when last looked at.
type twin struct {
	// pods are those that have not ended by name, and ended those that have.
	pods    map[string]*corev1.Pod
	ended   map[types.UID]*corev1.Pod
	foreign map[string]int64
	native  map[string]int32

	placed, releasing map[gang.Key]bool
	bound             map[gang.Key]int
	now               int64
}

func (w *twin) members() map[gang.Key][]gang.Member {
	out := map[gang.Key][]gang.Member{}
	add := func(pod *corev1.Pod) {
		if m, is := dialect.Of(pod); is && pod.Status.Phase != corev1.PodFailed {
			out[m.Key] = append(out[m.Key], workload.Member(pod, m))
		}
	}
	for _, pod := range w.pods {
		add(pod)
	}
	for _, pod := range w.ended {
		add(pod)
	}
	return out
}

// bury ends the lives of gangs of which nobody stays.
func (w *twin) bury() {
	staying := map[gang.Key]bool{}
	for key, members := range w.members() {
		for _, m := range members {
			staying[key] = staying[key] || !m.Leaving
		}
	}
	for _, past := range []map[gang.Key]bool{w.placed, w.releasing} {
		for key := range past {
			if !staying[key] {
				delete(past, key)
			}
		}
	}
}

// settle returns the groups that the scheduler should know.
func (w *twin) settle(kind *dialect.Kind) map[gang.Key]gang.Group {
	out := map[gang.Key]gang.Group{}
	w.bound = map[gang.Key]int{}
	for key, members := range w.members() {
		mine := false
		done := 0
		for _, m := range members {
			mine = mine || m.Scheduler == "berth"
			switch {
			case m.Succeeded:
				done++
			case m.Node != "":
				w.bound[key]++
			}
		}
		if done == len(members) {
			continue
		}
		if w.releasing[key] && w.bound[key] == 0 || !mine {
			delete(w.releasing, key)
			delete(w.placed, key)
		}
		if !mine || w.releasing[key] {
			continue
		}
		var declared *gang.Declaration
		switch key.Dialect {
		case dialect.SchedulerPlugins:
			if size, is := w.foreign[key.Name]; is {
				declared = &kind.Declare(foreignObject(key.Name, size))[0].Declaration
			}
		case gang.Native:
			if size, is := w.native[key.Name]; is {
				said := nativeDeclaration(nativeGroup(key.Name, size))
				declared = &said
			}
		}
		verdict := gang.Resolve(key, declared, members, func(name string) bool { return name == "berth" }, w.placed[key]).Await(w.now)
		w.placed[key] = verdict.Placed
		if verdict.Action == gang.Admit && (key.Dialect != gang.Native || declared != nil) {
			out[key] = verdict.Group
		}
	}
	return out
}

func TestGangsAgainstTwin(t *testing.T) {
	const steps = 50_000
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	kind := foreignKind(t)
	g := newGangsRig(t)
	w := &twin{pods: map[string]*corev1.Pod{}, foreign: map[string]int64{}, native: map[string]int32{},
		ended: map[types.UID]*corev1.Pod{}, placed: map[gang.Key]bool{}, releasing: map[gang.Key]bool{}, bound: map[gang.Key]int{}}
	gangs := []string{"g", "h"}
	keys := []gang.Key{}
	for _, name := range gangs {
		keys = append(keys, statetest.BerthKey(name), statetest.ForeignKey(name), statetest.NativeKey(name))
	}
	published := 0
	for step := range steps {
		name := gangs[random.IntN(len(gangs))]
		switch podName := fmt.Sprint("p", random.IntN(8)); random.IntN(16) {
		case 0, 1, 2, 3, 4:
			old := w.pods[podName]
			pod := statetest.Pod(podName, statetest.Uid(fmt.Sprint(podName, "-", step)), []func(string) func(*corev1.Pod){statetest.InGang, statetest.InForeign, statetest.InNative}[random.IntN(3)](name))
			if old != nil {
				pod.UID = old.UID
				if random.IntN(3) > 0 {
					pod = old.DeepCopy()
				}
			}
			switch random.IntN(11) {
			case 0:
				statetest.Leaving(pod)
			case 10:
				pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "hold"}}
				if random.IntN(2) == 0 {
					pod.Spec.SchedulingGates = nil
				}
			case 1, 2, 3:
				statetest.On("n", time.Duration(step))(pod)
			case 4, 5, 6:
				statetest.Sized(random.IntN(4))(pod)
			case 7:
				pod.Spec.SchedulerName = []string{"berth", "other"}[random.IntN(2)]
			case 8:
				pod.Labels, pod.Spec.SchedulingGroup = map[string]string{}, nil
			case 9:
				statetest.InGang(name)(pod)
			}
			w.pods[podName] = pod
			g.SetPod(pod)
		case 5, 6:
			if pod := w.pods[podName]; pod != nil {
				delete(w.pods, podName)
				g.DeletePod(pod)
			}
		case 7:
			size := int64(random.IntN(4))
			w.foreign[name] = size
			g.SetObject(kind, foreignObject(name, size))
		case 8:
			delete(w.foreign, name)
			g.DeleteObject(kind, types.NamespacedName{Namespace: "ns", Name: name})
		case 9:
			size := int32(random.IntN(4))
			w.native[name] = size
			g.SetNative(nativeGroup(name, size))
		case 10:
			delete(w.native, name)
			g.DeleteNative(types.NamespacedName{Namespace: "ns", Name: name})
		case 11:
			if random.IntN(10) == 0 {
				clear(w.foreign)
				g.Drop(kind.Resource)
			}
		case 12:
			if key := keys[random.IntN(len(keys))]; w.bound[key] > 0 {
				w.releasing[key] = true
				g.Release(key)
			} else {
				g.Release(key)
			}
			if random.IntN(4) == 0 {
				key := keys[random.IntN(len(keys))]
				delete(w.releasing, key)
				g.Retain(key)
			}
		case 13:
			if random.IntN(100) == 0 {
				for _, pod := range w.pods {
					g.DeletePod(pod)
				}
				clear(w.pods)
			}
		case 14:
			old := w.pods[podName]
			if old == nil {
				break
			}
			pod := old.DeepCopy()
			pod.Status.Phase = []corev1.PodPhase{corev1.PodSucceeded, corev1.PodSucceeded, corev1.PodFailed}[random.IntN(3)]
			delete(w.pods, podName)
			// Two watches tell of it, either first.
			if random.IntN(2) == 0 {
				g.DeletePod(old)
				w.bury()
				g.SetEnded(pod)
			} else {
				g.SetEnded(pod)
				g.SetPod(old) // out of date
				g.DeletePod(old)
			}
			w.ended[pod.UID] = pod
		case 15:
			for id, pod := range w.ended {
				if random.IntN(2) == 0 && pod.DeletionTimestamp == nil {
					statetest.Leaving(pod)
					g.SetEnded(pod)
				} else {
					delete(w.ended, id)
					g.DeleteEnded(id)
				}
				break
			}
		}
		w.bury()
		if random.IntN(3) > 0 {
			continue
		}
		if random.IntN(20) == 0 {
			g.clock.SetTime(g.clock.Now().Add(4 * time.Second))
			g.StopAwaiting()
		}
		w.now = g.clock.Now().Unix()
		g.settleAll()
		want := w.settle(kind)
		published += len(want)
		if diff := cmp.Diff(want, g.sink.published); diff != "" {
			t.Fatalf("step %d: what the scheduler knows (-twin +got):\n%s", step, diff)
		}
	}
	if published < steps/10 {
		t.Errorf("only %d gangs were admitted in %d steps: the test shows little", published, steps)
	}

	for _, pod := range w.pods {
		g.DeletePod(pod)
	}
	for id := range w.ended {
		g.DeleteEnded(id)
	}
	for _, name := range gangs {
		g.DeleteObject(kind, types.NamespacedName{Namespace: "ns", Name: name})
		g.DeleteNative(types.NamespacedName{Namespace: "ns", Name: name})
	}
	g.settleAll()
	if len(g.sink.published)+len(g.gangs)+len(g.pods)+len(g.ended)+len(g.objects) != 0 {
		t.Errorf("when all is gone, %v are published and %d gangs, %d pods, %d objects kept",
			g.sink.published, len(g.gangs), len(g.pods), len(g.objects))
	}
}
