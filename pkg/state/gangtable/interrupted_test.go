package gangtable

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// A gang that was deleted and made again under its name is another gang, even if
// nobody saw the moment between: it is not admitted, nor whole, before its time.
func TestAGangMadeAgainIsAnother(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(g *gangsRig)
	}{
		{"its pods are gone", func(g *gangsRig) {
			g.DeletePod(statetest.Pod("a", statetest.InGang("g"), statetest.On("n", 1)))
			g.DeletePod(statetest.Pod("b", statetest.InGang("g"), statetest.On("n", 1)))
		}},
		{"its pods are being deleted", func(g *gangsRig) {
			g.SetPod(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2), statetest.On("n", 1), statetest.Leaving))
			g.SetPod(statetest.Pod("b", statetest.InGang("g"), statetest.On("n", 1), statetest.Leaving))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGangsRig(t)
			g.SetPod(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2), statetest.On("n", 1)))
			g.SetPod(statetest.Pod("b", statetest.InGang("g"), statetest.On("n", 1)))
			g.settleAll()
			first := g.Life(statetest.BerthKey("g"))
			c.end(g)
			g.SetPod(statetest.Pod("a", statetest.Uid("a2"), statetest.InGang("g"), statetest.Sized(2), statetest.Created(time.Hour)))
			g.settleAll()
			got, _ := g.Get(statetest.BerthKey("g"))
			if got.Verdict.Code != gang.Incomplete {
				t.Errorf("the second gang's verdict is %s %s, want %s", got.Verdict.Action, got.Verdict.Code, gang.Incomplete)
			}
			if second := got.Life; first == 0 || second <= first || second != g.Life(statetest.BerthKey("g")) {
				t.Errorf("the lives are %d and %d", first, second)
			}
			if len(g.sink.published) != 0 {
				t.Errorf("the scheduler still knows %v", g.sink.published)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	gang4 := func(g *gangsRig) {
		for i := range 4 {
			g.SetPod(statetest.Pod(fmt.Sprint("p", i), statetest.InGang("g"), statetest.Sized(4)))
		}
	}
	bind := func(names ...string) func(*gangsRig) {
		return func(g *gangsRig) {
			for _, name := range names {
				g.SetPod(statetest.Pod(name, statetest.InGang("g"), statetest.Sized(4), statetest.On("n", time.Minute)))
			}
		}
	}
	wait := func(d time.Duration) func(*gangsRig) {
		return func(g *gangsRig) { g.clock.SetTime(g.clock.Now().Add(d)) }
	}
	remove := func(name string) func(*gangsRig) {
		return func(g *gangsRig) { g.DeletePod(statetest.Pod(name, statetest.InGang("g"))) }
	}
	add := func(name string) func(*gangsRig) {
		return func(g *gangsRig) {
			g.SetPod(statetest.Pod(name, statetest.InGang("g"), statetest.Sized(4), statetest.Created(time.Hour)))
		}
	}
	release := func(g *gangsRig) { g.Release(statetest.BerthKey("g")) }
	pods := func(names ...string) (out []Pod) {
		for _, name := range names {
			out = append(out, Pod{Name: name, UID: types.UID(name), Node: "n", Ours: true, State: gang.Bound})
		}
		return out
	}
	for _, c := range []struct {
		name  string
		steps []func(*gangsRig)
		want  []Interrupted
	}{
		{name: "none is bound", steps: []func(*gangsRig){gang4}},
		{name: "all are bound", steps: []func(*gangsRig){gang4, bind("p0", "p1", "p2", "p3")}},
		{
			name:  "half is bound",
			steps: []func(*gangsRig){gang4, wait(time.Second), bind("p0", "p1"), wait(time.Hour)},
			want:  []Interrupted{{Key: statetest.BerthKey("g"), Size: 4, Bound: pods("p0", "p1"), Since: statetest.Epoch.Add(time.Second)}},
		},
		{
			name:  "each further bind is progress",
			steps: []func(*gangsRig){gang4, bind("p0"), wait(time.Minute), bind("p1"), wait(time.Minute), bind("p2")},
			want:  []Interrupted{{Key: statetest.BerthKey("g"), Size: 4, Bound: pods("p0", "p1", "p2"), Since: statetest.Epoch.Add(2 * time.Minute)}},
		},
		{
			name:  "a member that was lost is no progress",
			steps: []func(*gangsRig){gang4, bind("p0", "p1"), wait(time.Minute), remove("p1"), add("p4")},
			want:  []Interrupted{{Key: statetest.BerthKey("g"), Size: 4, Bound: pods("p0"), Since: statetest.Epoch}},
		},
		{
			name:  "a whole gang lost a member",
			steps: []func(*gangsRig){gang4, bind("p0", "p1", "p2", "p3"), remove("p3"), add("p4")},
		},
		{
			name: "a whole gang lost all members at once, and is bound by half anew",
			steps: []func(*gangsRig){gang4, bind("p0", "p1", "p2", "p3"), add("p4"), add("p5"), add("p6"), add("p7"),
				remove("p0"), remove("p1"), remove("p2"), remove("p3"), wait(2 * time.Hour), func(g *gangsRig) {
					g.SetPod(statetest.Pod("p4", statetest.InGang("g"), statetest.Sized(4), statetest.Created(time.Hour), statetest.On("n", 2*time.Hour)))
				}},
			want: []Interrupted{{Key: statetest.BerthKey("g"), Size: 4, Bound: pods("p4"), Since: statetest.Epoch.Add(2 * time.Hour)}},
		},
		{
			name:  "released",
			steps: []func(*gangsRig){gang4, bind("p0", "p1"), release},
			want:  []Interrupted{{Key: statetest.BerthKey("g"), Bound: pods("p0", "p1"), Since: statetest.Epoch, Releasing: true}},
		},
		{
			name:  "released, and one place is free",
			steps: []func(*gangsRig){gang4, bind("p0", "p1"), release, remove("p0")},
			want:  []Interrupted{{Key: statetest.BerthKey("g"), Bound: pods("p1"), Since: statetest.Epoch, Releasing: true}},
		},
		{
			name:  "released, and all places are free",
			steps: []func(*gangsRig){gang4, bind("p0", "p1"), release, remove("p0"), remove("p1")},
		},
		{
			name:  "nothing to release",
			steps: []func(*gangsRig){gang4, release},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGangsRig(t)
			for _, step := range c.steps {
				step(g)
				g.settleAll()
			}
			if diff := cmp.Diff(c.want, g.Interrupted()); diff != "" {
				t.Errorf("interrupted gangs (-want +got):\n%s", diff)
			}
		})
	}
}

// A gang that gives its places back is held until it has, and is then a new one.
func TestRelease(t *testing.T) {
	g := newGangsRig(t)
	for i := range 3 {
		g.SetPod(statetest.Pod(fmt.Sprint("p", i), statetest.InGang("g"), statetest.Sized(3)))
	}
	g.SetPod(statetest.Pod("p0", statetest.InGang("g"), statetest.Sized(3), statetest.On("n", 1)))
	g.settleAll()
	g.Release(statetest.BerthKey("g"))
	g.settleAll()
	if got, _ := g.Get(statetest.BerthKey("g")); got.Verdict.Code != gang.Releasing {
		t.Errorf("the verdict is %+v, want %s", got.Verdict, gang.Releasing)
	}
	if diff := cmp.Diff([]string{"p1", "p2"}, g.Waiting(statetest.BerthKey("g"))); diff != "" {
		t.Errorf("members that wait (-want +got):\n%s", diff)
	}
	if name := g.AnyWaiting(statetest.BerthKey("g")); name != "p1" && name != "p2" {
		t.Errorf("%q waits", name)
	}
	g.DeletePod(statetest.Pod("p0", statetest.InGang("g")))
	g.settleAll()
	if got, _ := g.Get(statetest.BerthKey("g")); got.Verdict.Code != gang.Incomplete {
		t.Errorf("the verdict is %+v, want %s", got.Verdict, gang.Incomplete)
	}
	g.SetPod(statetest.Pod("p3", statetest.InGang("g"), statetest.Sized(3)))
	g.settleAll()
	want := []string{"publish ns/g 3", "withdraw ns/g", "publish ns/g 3"}
	if diff := cmp.Diff(want, g.sink.log); diff != "" {
		t.Errorf("what the scheduler was told (-want +got):\n%s", diff)
	}
}

// A kubelet that does not answer ends no pod. A gang that gives its places back, and has none but
// such pods left, is a new one: nobody is to wait for what may never come.
func TestReleaseOnLostNodes(t *testing.T) {
	g := newCluster(t)
	g.Release(statetest.BerthKey("g"))
	expect := func(code gang.Code, when string) {
		t.Helper()
		g.settleAll()
		if got, _ := g.Get(statetest.BerthKey("g")); got.Verdict.Code != code {
			t.Errorf("%s: the verdict is %+v, want %q", when, got.Verdict, code)
		}
	}
	for i := range 4 {
		g.SetPod(memberPod(i, statetest.Uid(fmt.Sprint("again-", i)), statetest.Created(time.Hour), func(p *corev1.Pod) { p.Name, p.Spec.NodeName = fmt.Sprint("again-", i), "" }))
	}
	for i := range 3 {
		g.SetPod(memberPod(i, statetest.Leaving))
		g.SetNode(healthy(i, ready(corev1.ConditionUnknown)))
	}
	expect(gang.Releasing, "one stays")
	g.SetPod(memberPod(3, statetest.Leaving))
	expect(gang.Releasing, "the kubelet of the last one answers")
	g.SetNode(healthy(3, ready(corev1.ConditionUnknown)))
	expect("", "no kubelet answers")
	if got := g.sink.published[statetest.BerthKey("g")]; got.Size != 4 {
		t.Errorf("the scheduler knows %+v, want a gang of 4", got)
	}
	g.SetNode(healthy(3))
	expect("", "a kubelet answers again")
}

// Recovery asks each second.
func BenchmarkInterrupted(b *testing.B) {
	g := New(func(string) bool { return true }, &recorder{published: map[gang.Key]gang.Group{}, changed: map[gang.Key]int{}}, clocktesting.NewFakePassiveClock(statetest.Epoch))
	for i := range 5000 {
		for j := range 8 {
			g.SetPod(statetest.Pod(fmt.Sprint("p", i, "-", j), statetest.InGang(fmt.Sprint("g", i)), statetest.Sized(8), statetest.On("n", time.Minute)))
		}
	}
	for g.dirty.Len() > 0 {
		key, _ := g.dirty.Get()
		g.settle(key)
		g.dirty.Done(key)
	}
	if n := len(g.Keys()); n != 5000 {
		b.Fatalf("%d gangs, want 5000", n)
	}
	for b.Loop() {
		if n := len(g.Interrupted()); n != 0 {
			b.Fatalf("%d interrupted gangs, want none", n)
		}
	}
}

// A pod that comes to a gang that the scheduler knows may join once the verdict
// rests on it, and not before.
func TestClearance(t *testing.T) {
	g := newGangsRig(t)
	key := gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}
	member := func(name, size string) *corev1.Pod {
		pod := statetest.Pod(name)
		pod.Labels["berth.dev/gang"] = "g"
		pod.Annotations["berth.dev/gang-size"] = size
		return pod
	}
	check := func(what string, want map[types.UID]bool) {
		t.Helper()
		got := map[types.UID]bool{}
		for uid := range want {
			_, got[uid] = g.Cleared(key, uid)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	g.SetPod(member("a", "1"))
	check("before a verdict", map[types.UID]bool{"a": false})
	g.settleAll()
	check("after it", map[types.UID]bool{"a": true})

	g.SetPod(member("b", "1"))
	check("a pod that comes later waits", map[types.UID]bool{"a": true, "b": false})
	g.settleAll()
	check("until the verdict rests on it", map[types.UID]bool{"a": true, "b": true})
	if g.sink.cleared != 2 {
		t.Errorf("the sink was told of clearance %d times, want 2", g.sink.cleared)
	}

	g.SetPod(member("b", "many"))
	check("a pod that says something else waits at once", map[types.UID]bool{"a": true, "b": false})
	g.settleAll()
	check("its fault holds the gang", map[types.UID]bool{"a": false, "b": false})
}

// Pods that come in place of those of a gang that is evicted do not complete what is left of
// it: they wait until all have left, unless it stays after all.
func TestReplacementsOfAnEvictedGangWait(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(g *gangsRig)
		want  gang.Code // "" to admit
	}{
		{"others have not left yet", func(*gangsRig) {}, gang.Releasing},
		{"all have left", func(g *gangsRig) { g.DeletePod(statetest.Pod("b", statetest.InGang("g"))) }, gang.Incomplete},
		{"all have left and are replaced", func(g *gangsRig) {
			g.DeletePod(statetest.Pod("b", statetest.InGang("g")))
			g.SetPod(statetest.Pod("b", statetest.Uid("b2"), statetest.InGang("g"), statetest.Sized(2), statetest.Created(time.Hour)))
		}, ""},
		{"it stays", func(g *gangsRig) { g.Retain(statetest.BerthKey("g")) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGangsRig(t)
			for _, name := range []string{"a", "b"} {
				g.SetPod(statetest.Pod(name, statetest.InGang("g"), statetest.Sized(2), statetest.On("n", 1)))
			}
			g.settleAll()
			g.Release(statetest.BerthKey("g"))
			g.settleAll()
			g.DeletePod(statetest.Pod("a", statetest.InGang("g")))
			g.SetPod(statetest.Pod("a", statetest.Uid("a2"), statetest.InGang("g"), statetest.Sized(2), statetest.Created(time.Hour)))
			g.settleAll()
			c.after(g)
			g.settleAll()
			got, _ := g.Get(statetest.BerthKey("g"))
			if got.Verdict.Code != c.want {
				t.Errorf("the verdict is %s %s, want %q", got.Verdict.Action, got.Verdict.Code, c.want)
			}
		})
	}
}
