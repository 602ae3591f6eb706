package gangtable

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// recorder is a Sink that keeps what the scheduler would know, and refuses news
// that are none.
type recorder struct {
	t         testing.TB
	published map[gang.Key]gang.Group
	cleared   int
	// log is what was published and withdrawn, in order.
	log     []string
	changed map[gang.Key]int
}

func (r *recorder) Publish(group gang.Group) {
	if old, was := r.published[group.Key]; was && old == group {
		r.t.Errorf("gang %s was published twice as %+v", group.Key, group)
	}
	r.published[group.Key] = group
	r.log = append(r.log, fmt.Sprintf("publish %s %d", group.Key, group.Need))
}

func (r *recorder) Withdraw(key gang.Key) {
	if _, was := r.published[key]; !was {
		r.t.Errorf("gang %s was withdrawn and never published", key)
	}
	delete(r.published, key)
	r.log = append(r.log, "withdraw "+key.String())
}

func (r *recorder) Cleared(gang.Key) { r.cleared++ }

func (r *recorder) Changed(key gang.Key) { r.changed[key]++ }

// gangsRig is a Table that settles when the test says so.
type gangsRig struct {
	*Table
	sink  *recorder
	clock *clocktesting.FakePassiveClock
}

func newGangsRig(t testing.TB) *gangsRig {
	sink := &recorder{t: t, published: map[gang.Key]gang.Group{}, changed: map[gang.Key]int{}}
	c := clocktesting.NewFakePassiveClock(statetest.Epoch)
	return &gangsRig{New(func(name string) bool { return name == "berth" }, sink, c), sink, c}
}

func (g *gangsRig) settleAll() { g.Settle() }

func foreignKind(t *testing.T) *dialect.Kind {
	t.Helper()
	for _, kind := range dialect.Kinds() {
		if kind.Dialect == dialect.SchedulerPlugins {
			return &kind
		}
	}
	t.Fatal("there is no kind of scheduler-plugins")
	return nil
}

func foreignObject(name string, size int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.x-k8s.io/v1alpha1", "kind": "PodGroup",
		"metadata": map[string]any{"namespace": "ns", "name": name, "uid": "object-" + name},
		"spec":     map[string]any{"minMember": size},
	}}
}

func nativeGroup(name string, size int32) *schedulingv1beta1.PodGroup {
	pg := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	if size > 0 {
		pg.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: size}
	}
	return pg
}

// Each step is settled before the next, and all steps are settled at once: the
// scheduler knows the same in the end.
func TestGangsFollowPodsAndObjects(t *testing.T) {
	kind := foreignKind(t)
	set := func(pod *corev1.Pod) func(*gangsRig) { return func(g *gangsRig) { g.SetPod(pod) } }
	gone := func(pod *corev1.Pod) func(*gangsRig) { return func(g *gangsRig) { g.DeletePod(pod) } }
	object := func(name string, size int64) func(*gangsRig) {
		return func(g *gangsRig) { g.SetObject(kind, foreignObject(name, size)) }
	}
	driver := func(p *corev1.Pod) {
		p.Labels["applicationId"] = "app"
		p.Annotations["yunikorn.apache.org/task-group-name"] = "driver"
		p.Annotations["yunikorn.apache.org/task-groups"] = `[{"name":"driver","minMember":1},{"name":"executors","minMember":2}]`
	}
	executor := func(p *corev1.Pod) {
		p.Labels["applicationId"] = "app"
		p.Annotations["yunikorn.apache.org/task-group-name"] = "executors"
	}
	for _, c := range []struct {
		name  string
		steps []func(*gangsRig)
		log   []string
		// past says that the order of steps is part of the answer: who was placed
		// stays so.
		past bool
		// key is the gang whose code is checked in the end; "" means admitted.
		key  gang.Key
		code gang.Code
	}{
		{
			name:  "pods that state their size",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2))), set(statetest.Pod("b", statetest.InGang("g")))},
			log:   []string{"publish ns/g 2"},
			key:   statetest.BerthKey("g"),
		},
		{
			name:  "too few pods",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2)))},
			key:   statetest.BerthKey("g"), code: gang.Incomplete,
		},
		{
			name:  "the object comes last",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InForeign("g"))), set(statetest.Pod("b", statetest.InForeign("g"))), object("g", 2)},
			log:   []string{"publish ns/g 2"},
			key:   statetest.ForeignKey("g"),
		},
		{
			name:  "the object comes first",
			steps: []func(*gangsRig){object("g", 2), set(statetest.Pod("a", statetest.InForeign("g"))), set(statetest.Pod("b", statetest.InForeign("g")))},
			log:   []string{"publish ns/g 2"},
			key:   statetest.ForeignKey("g"),
		},
		{
			name: "the object goes",
			steps: []func(*gangsRig){object("g", 1), set(statetest.Pod("a", statetest.InForeign("g"))),
				func(g *gangsRig) { g.DeleteObject(kind, types.NamespacedName{Namespace: "ns", Name: "g"}) }},
			log: []string{"publish ns/g 1", "withdraw ns/g"},
			key: statetest.ForeignKey("g"), code: gang.NotDeclared,
		},
		{
			name: "the server no longer serves the kind",
			steps: []func(*gangsRig){object("g", 1), object("h", 1), set(statetest.Pod("a", statetest.InForeign("g"))),
				func(g *gangsRig) { g.Drop(kind.Resource) }},
			log: []string{"publish ns/g 1", "withdraw ns/g"},
			key: statetest.ForeignKey("g"), code: gang.NotDeclared,
		},
		{
			name:  "the object changes its size",
			steps: []func(*gangsRig){object("g", 1), set(statetest.Pod("a", statetest.InForeign("g"))), object("g", 2)},
			log:   []string{"publish ns/g 1", "withdraw ns/g"},
			key:   statetest.ForeignKey("g"), code: gang.Incomplete,
		},
		{
			name:  "a pod changes its gang",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(1))), set(statetest.Pod("a", statetest.InGang("h"), statetest.Sized(1)))},
			log:   []string{"publish ns/g 1", "withdraw ns/g", "publish ns/h 1"},
			key:   statetest.BerthKey("h"),
		},
		{
			name:  "a pod leaves its gang and is a plain one",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(1))), set(statetest.Pod("a"))},
			log:   []string{"publish ns/g 1", "withdraw ns/g"},
		},
		{
			name:  "a pod declares the gang of others",
			steps: []func(*gangsRig){set(statetest.Pod("e1", executor)), set(statetest.Pod("e2", executor)), set(statetest.Pod("d", driver))},
			log:   []string{"publish ns/app/driver 1", "publish ns/app/executors 2"},
			key:   gang.Key{Namespace: "ns", Dialect: dialect.YuniKorn, Name: "app/executors"},
		},
		{
			name: "the pod that declared goes",
			steps: []func(*gangsRig){set(statetest.Pod("d", driver)), set(statetest.Pod("e1", executor)), set(statetest.Pod("e2", executor)),
				gone(statetest.Pod("d", driver))},
			log: []string{"publish ns/app/driver 1", "publish ns/app/executors 2", "withdraw ns/app/driver", "withdraw ns/app/executors"},
			key: gang.Key{Namespace: "ns", Dialect: dialect.YuniKorn, Name: "app/executors"}, code: gang.NotDeclared,
		},
		{
			name: "a gang that waits and lost a member waits for it",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2))), set(statetest.Pod("b", statetest.InGang("g"))),
				gone(statetest.Pod("b", statetest.InGang("g")))},
			log: []string{"publish ns/g 2", "withdraw ns/g"},
			key: statetest.BerthKey("g"), code: gang.Incomplete,
		},
		{
			name: "a running gang that lost two members stays admitted, and needs those that come",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(3), statetest.On("n", 0))), set(statetest.Pod("b", statetest.InGang("g"), statetest.On("n", 0))), set(statetest.Pod("c", statetest.InGang("g"), statetest.On("n", 0))),
				gone(statetest.Pod("b", statetest.InGang("g"))), gone(statetest.Pod("c", statetest.InGang("g"))), set(statetest.Pod("b2", statetest.InGang("g"), statetest.Created(time.Hour)))},
			log:  []string{"publish ns/g 3", "publish ns/g 2"},
			past: true,
			key:  statetest.BerthKey("g"),
		},
		{
			name:  "a gang of another scheduler",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(1), statetest.By("other")))},
		},
		{
			name: "pods of two schedulers",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InGang("g"), statetest.Sized(2))),
				set(statetest.Pod("b", statetest.InGang("g"), statetest.By("other")))},
			key: statetest.BerthKey("g"), code: gang.SchedulersDisagree,
		},
		{
			name:  "a native group without the gang policy",
			steps: []func(*gangsRig){func(g *gangsRig) { g.SetNative(nativeGroup("g", 0)) }, set(statetest.Pod("a", statetest.InNative("g")))},
			log:   []string{"publish ns/g 1"},
			key:   statetest.NativeKey("g"),
		},
		{
			name:  "a size on a pod does not make a native group",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InNative("g"), statetest.Sized(1)))},
			key:   statetest.NativeKey("g"), code: gang.NotDeclared,
		},
		{
			name: "an object with a fault",
			steps: []func(*gangsRig){set(statetest.Pod("a", statetest.InForeign("g"))), func(g *gangsRig) {
				o := foreignObject("g", 1)
				o.Object["spec"] = "one"
				g.SetObject(kind, o)
			}},
			key: statetest.ForeignKey("g"), code: gang.Malformed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, all := newGangsRig(t), newGangsRig(t)
			for _, step := range c.steps {
				step(one)
				one.settleAll()
				step(all)
			}
			all.settleAll()
			if diff := cmp.Diff(c.log, one.sink.log); diff != "" {
				t.Errorf("what the scheduler was told (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(one.sink.published, all.sink.published); diff != "" && !c.past {
				t.Errorf("settled at once (-one by one +at once):\n%s", diff)
			}
			if c.key == (gang.Key{}) {
				return
			}
			want := gang.Hold
			if c.code == "" {
				want = gang.Admit
			}
			got, _ := one.Get(c.key)
			if got.Verdict.Action != want || got.Verdict.Code != c.code {
				t.Errorf("the verdict is %s %s (%s), want %s %s", got.Verdict.Action, got.Verdict.Code, got.Verdict.Text, want, c.code)
			}
		})
	}
}

// An object's own status is written all the time: it is no news to the gang. What
// is known of the object follows nevertheless.
func TestStatusOfAnObjectIsNoNews(t *testing.T) {
	kind := foreignKind(t)
	g := newGangsRig(t)
	g.SetPod(statetest.Pod("a", statetest.InForeign("g")))
	g.SetObject(kind, foreignObject("g", 1))
	g.SetNative(nativeGroup("n", 1))
	g.settleAll()
	before := g.sink.changed[statetest.ForeignKey("g")]

	next := foreignObject("g", 1)
	next.Object["status"] = map[string]any{"phase": "Running"}
	g.SetObject(kind, next)
	native := nativeGroup("n", 1)
	native.Status.Conditions = []metav1.Condition{{Type: "x"}}
	g.SetNative(native)
	if n := g.dirty.Len(); n != 0 {
		t.Errorf("%d gangs are to be judged anew, want none", n)
	}
	if got, _ := g.Get(statetest.ForeignKey("g")); got.Object != next {
		t.Errorf("the object is %v, want the latest", got.Object)
	}

	again := foreignObject("g", 1)
	again.SetUID("another")
	g.SetObject(kind, again)
	g.settleAll()
	if n := g.sink.changed[statetest.ForeignKey("g")]; n != before+1 {
		t.Errorf("an object that was made again changed its gang %d times, want once", n-before)
	}
}

// The object that is heard: of several kinds the first, a pod's word last.
func TestWhoIsHeard(t *testing.T) {
	g := newGangsRig(t)
	kinds := dialect.Kinds()
	key := gang.Key{Namespace: "ns", Dialect: dialect.Coscheduling, Name: "g"}
	koordinator := kinds[slices.IndexFunc(kinds, func(k dialect.Kind) bool { return k.Dialect == dialect.Koordinator })]
	g.SetPod(statetest.Pod("a", func(p *corev1.Pod) { p.Labels["pod-group.scheduling.sigs.k8s.io"] = "g" }))
	later := foreignObject("g", 3)
	later.SetAPIVersion("scheduling.sigs.k8s.io/v1alpha1")
	g.SetObject(&koordinator, later)
	g.settleAll()
	if got, _ := g.Get(key); got.Ref == nil || got.Ref.APIVersion != "scheduling.sigs.k8s.io/v1alpha1" {
		t.Errorf("the only object is not heard: %v", got.Ref)
	}
	g.SetObject(foreignKind(t), foreignObject("g", 2))
	g.settleAll()
	got, _ := g.Get(key)
	if got.Ref == nil || got.Ref.APIVersion != "scheduling.x-k8s.io/v1alpha1" {
		t.Errorf("the first kind is not heard: %v", got.Ref)
	}
	if got.Object != nil || got.Kind != nil {
		t.Errorf("the outcome of the second gang of an object would be written to it: %v", got.Object)
	}
}
