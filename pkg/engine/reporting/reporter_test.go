package reporting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

func TestReportOfAPlacedGang(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	a, b := d.member("a", ""), d.member("b", "")
	d.declare("1", 2)
	d.set(a, b)
	d.bind(a, b)
	d.mustReport(0)
	d.expect(nil) // more binds may come
	d.mustReport(quietDelay)
	events := []string{"PodGroup/g Normal Scheduled: Placed 2 of 2 pods of gang ns/g on 1 nodes (least: 2)"}
	d.expect(events, scheduledStatus)
	d.mustReport(time.Hour)
	d.expect(events, scheduledStatus)

	// Members that join later are an event for all of them.
	c, e := d.member("c", ""), d.member("e", "")
	d.set(c, e)
	d.bind(c, e)
	d.mustReport(quietDelay)
	d.mustReport(time.Hour)
	events = append(events, "PodGroup/g Normal Scheduled: Placed 4 of 4 pods of gang ns/g on 1 nodes (least: 2)")
	d.expect(events, scheduledStatus, scheduledStatus) // the object says nothing yet: nobody watches it here
}

// The status of a gang that was placed is written in the end, whatever the API
// server says at first.
func TestStatusIsRetried(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	away := true
	d.dynamic.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return away, nil, apierrors.NewServiceUnavailable("away")
	})
	a, b := d.member("a", ""), d.member("b", "")
	d.declare("1", 2)
	d.set(a, b)
	d.bind(a, b)
	if err := d.report(quietDelay); err == nil {
		t.Error("the API server is away, and the report has no error")
	}
	away = false
	d.mustReport(time.Second)
	d.mustReport(time.Second)
	d.expect([]string{"PodGroup/g Normal Scheduled: Placed 2 of 2 pods of gang ns/g on 1 nodes (least: 2)"}, scheduledStatus, scheduledStatus)
}

// A refusal is said once, in whatever words it comes by turns; its status is not
// written at each turn either.
func TestReportOfARefusedGang(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	d.declare("1", 2)
	d.set(d.member("a", ""), d.member("b", ""))
	for i := range 20 {
		d.refuse(fmt.Sprintf("0/%d nodes: %s", i, []string{"Insufficient cpu", "had taints"}[i%2]))
		d.mustReport(time.Second)
	}
	d.expect([]string{
		"Pod/a Warning FailedScheduling: 0/0 nodes: Insufficient cpu PodGroup/g",
		"Pod/a Warning FailedScheduling: 0/1 nodes: had taints PodGroup/g",
	}, pendingStatus)
}

// KAI's status holds the text of the refusal: at most two in a minute.
func TestStatusOfARefusalInTurns(t *testing.T) {
	d := newReporterRig(t, dialect.KAI)
	d.declare("1", 2)
	kai := func(p *corev1.Pod) {
		p.Labels = nil
		p.Annotations = map[string]string{"pod-group-name": "g"}
	}
	d.set(d.member("a", "", kai), d.member("b", "", kai))
	for i := range 60 {
		d.refuse([]string{"Insufficient cpu", "had taints"}[i%2])
		d.mustReport(time.Second)
	}
	if n := len(d.statuses()); n < 1 || n > 2 {
		t.Errorf("%d patches in a minute, want 1 or 2: %v", n, d.statuses())
	}
}

// A gang of which some pods were bound and the rest was refused is told of too.
func TestReportOfAGangBoundByHalf(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	a, b := d.member("a", ""), d.member("b", "")
	d.declare("1", 2)
	d.set(a, b)
	d.bind(a)
	d.mustReport(quietDelay)
	d.expect(nil)
	d.refuse("no room")
	d.mustReport(quietDelay)
	d.expect([]string{"Pod/b Warning FailedScheduling: no room PodGroup/g"}, pendingStatus)
	d.bind(b)
	d.mustReport(quietDelay)
	if n := len(d.events.Log); n != 2 {
		t.Errorf("events are %v, want one more", d.events.Log)
	}
}

func TestReportOfAHeldGang(t *testing.T) {
	for _, c := range []struct {
		name     string
		size     int64
		pods     []func(*corev1.Pod)
		patience time.Duration
		events   []string
		// conditions are the pods to which one is written.
		conditions []string
	}{
		{name: "incomplete", size: 3, pods: []func(*corev1.Pod){nil, nil}, patience: incompleteDelay,
			events:     []string{"Pod/p0 Warning GangIncomplete: gang ns/g has 2 of 3 pods; waiting for the others to be created PodGroup/g"},
			conditions: []string{"p0", "p1"}},
		{name: "undeclared", pods: []func(*corev1.Pod){nil}, patience: undeclaredDelay,
			events:     []string{"Pod/p0 Warning GangNotDeclared: gang ns/g is declared by nothing: create the object that its pods name, or state its size on the pods with annotation berth.dev/gang-size"},
			conditions: []string{"p0"}},
		{name: "pods of another scheduler are left alone", size: 2,
			pods:       []func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.SchedulerName = "other" }, nil},
			events:     []string{`Pod/p1 Warning GangSchedulersDisagree: pod "p1" has schedulerName "berth" and pod "p0" has "other"; give all pods of the gang one PodGroup/g`},
			conditions: []string{"p1"}},
		{name: "no pod is ours", size: 2, patience: time.Hour,
			pods: []func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.SchedulerName = "other" }}},
		{name: "bound pods and leaving ones say nothing", size: 1,
			pods: []func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.NodeName = "n" },
				func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: enginetest.Epoch} },
				func(p *corev1.Pod) { p.Annotations = map[string]string{"berth.dev/gang-size": "x"} }},
			events:     []string{`Pod/p2 Warning GangMalformed: pod "p2": annotation berth.dev/gang-size is "x"; expected a whole number such as "4" PodGroup/g`},
			conditions: []string{"p2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newReporterRig(t, dialect.SchedulerPlugins)
			if c.size > 0 {
				d.declare("1", c.size)
			}
			var pods []*corev1.Pod
			for i, change := range c.pods {
				if change == nil {
					change = func(*corev1.Pod) {}
				}
				pods = append(pods, d.member(fmt.Sprint("p", i), "", change))
			}
			d.set(pods...)
			if c.patience > 0 {
				d.mustReport(0)
				d.mustReport(c.patience - time.Millisecond)
				d.expect(nil)
			}
			for range 3 {
				d.mustReport(time.Millisecond)
			}
			if diff := cmp.Diff(c.events, d.events.Log); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			var conditions []string
			for _, pod := range pods {
				if _, asked := d.conditions.pending[types.NamespacedName{Namespace: "ns", Name: pod.Name}]; asked {
					conditions = append(conditions, pod.Name)
				}
			}
			if diff := cmp.Diff(c.conditions, conditions); diff != "" {
				t.Errorf("pods with a condition (-want +got):\n%s", diff)
			}
			if n := len(d.statuses()); (n > 0) != (c.events != nil && c.size > 0) || n > 1 {
				t.Errorf("patches of the object: %v", d.statuses())
			}
		})
	}
}

// Whoever waits for pods that do not come is told why, as soon as that is known, and so is
// whoever asks later.
func TestReportOfPodsMadeInTurn(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	d.declare("1", 3)
	known := false
	d.reporter.Sequence = func(gang.Key) (dialect.Sequence, bool) {
		return dialect.Sequence{Text: "Job \"ns/train\" has 2 pods at a time", Most: 2}, known
	}
	p := d.member("p0", "", func(*corev1.Pod) {})
	d.set(p)
	d.mustReport(0)
	known = true
	d.mustReport(incompleteDelay)
	want := `gang ns/g has 1 of 3 pods; waiting for the others to be created: Job "ns/train" has 2 pods at a time`
	if got := d.conditions.pending[types.NamespacedName{Namespace: "ns", Name: "p0"}].condition.Message; got != want {
		t.Errorf("condition is %q, want %q", got, want)
	}
	if g, _ := d.gangs.Get(gang.Key{Namespace: "ns", Dialect: dialect.SchedulerPlugins, Name: "g"}); g.Verdict.Text != want {
		t.Errorf("verdict is %q, want %q", g.Verdict.Text, want)
	}
	// A gang of as many as there are at a time waits for something else.
	d.declare("1", 2)
	d.mustReport(time.Second)
	if g, _ := d.gangs.Get(gang.Key{Namespace: "ns", Dialect: dialect.SchedulerPlugins, Name: "g"}); strings.Contains(g.Verdict.Text, "train") {
		t.Errorf("verdict is %q, want nothing of the Job", g.Verdict.Text)
	}
}

// What was said of a gang is said again of the next one of its name, though nobody
// looked in between; and what the scheduler did with the first is not told of the
// second. An object that was made again gets its status again.
func TestReportOfAGangMadeAgain(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	first := []*corev1.Pod{d.member("a", ""), d.member("b", "")}
	d.declare("1", 2)
	d.set(first...)
	d.refuse("no room")
	d.mustReport(time.Second)
	d.remove(first...)
	d.declare("2", 2)
	another := func(p *corev1.Pod) { p.UID += "-2" }
	second := []*corev1.Pod{d.member("a", "", another), d.member("b", "", another)}
	d.set(second...)
	d.mustReport(time.Second)
	events := []string{"Pod/a Warning FailedScheduling: no room PodGroup/g"}
	d.expect(events, pendingStatus)
	d.refuse("no room")
	d.mustReport(time.Second)
	events = append(events, events[0])
	d.expect(events, pendingStatus, pendingStatus)

	d.remove(second...)
	d.refuse("no room") // a decision that comes late
	d.mustReport(time.Second)
	d.expect(events, pendingStatus, pendingStatus)
	if len(d.reporter.told)+len(d.reporter.news) != 0 {
		t.Errorf("of a gang that is gone, %v and %v are kept", d.reporter.told, d.reporter.news)
	}
}

// An object that was made again, while its pods stayed, is told what the first knew.
func TestStatusOfAnObjectMadeAgain(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	d.declare("1", 2)
	d.set(d.member("a", ""), d.member("b", ""))
	d.refuse("no room")
	d.mustReport(time.Second)
	d.declare("2", 2)
	d.mustReport(time.Second)
	d.expect([]string{"Pod/a Warning FailedScheduling: no room PodGroup/g"}, pendingStatus, pendingStatus)
}

// A replica that does not lead keeps nothing; one that takes over looks at all gangs.
func TestReporterLeadsLater(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	d.set(d.member("a", ""))
	for range 100 {
		d.reporter.Changed(d.key())
	}
	d.reporter.queue.AddAfter(enginetest.Marker, 2*newsDelay)
	enginetest.Eventually(t, "the marker is reached", func() bool {
		d.clock.Step(100 * time.Millisecond)
		return d.reporter.queue.Len() > 0
	})
	if key, _ := d.reporter.queue.Get(); key != enginetest.Marker {
		t.Errorf("gang %s waits for a report on a replica that does not lead", key)
	}
	d.reporter.queue.Done(enginetest.Marker)
	go d.reporter.Run(t.Context())
	name := types.NamespacedName{Namespace: "ns", Name: "a"}
	enginetest.Eventually(t, "the gang is reported on", func() bool {
		d.clock.Step(100 * time.Millisecond)
		d.conditions.mu.Lock()
		defer d.conditions.mu.Unlock()
		_, asked := d.conditions.pending[name]
		return asked
	})
}

// A thousand gangs of 64 that are refused ten times cost an event and a status each
// and a condition a pod.
func TestWritesOfAThousandRefusedGangs(t *testing.T) {
	const gangs, size, rounds = 1000, 64, 10
	d := newReporterRig(t, dialect.SchedulerPlugins)
	var keys []gang.Key
	var names []types.NamespacedName
	for i := range gangs {
		name := fmt.Sprint("g", i)
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": d.kind.Resource.GroupVersion().String(), "kind": d.kind.Kind,
			"metadata": map[string]any{"namespace": "ns", "name": name, "uid": name},
			"spec":     map[string]any{"minMember": int64(size)},
		}}
		if err := d.dynamic.Tracker().Create(d.kind.Resource, o, "ns"); err != nil {
			t.Fatal(err)
		}
		d.gangs.SetObject(&d.kind, o)
		for j := range size {
			pod := d.member(fmt.Sprint(name, "-", j), "", func(p *corev1.Pod) { p.Labels["scheduling.x-k8s.io/pod-group"] = name })
			d.see(t, pod)
			d.gangs.SetPod(pod)
			names = append(names, types.NamespacedName{Namespace: "ns", Name: pod.Name})
		}
		keys = append(keys, gang.Key{Namespace: "ns", Dialect: d.kind.Dialect, Name: name})
	}
	d.settle()
	d.server.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) { return true, &corev1.Pod{}, nil })
	for round := range rounds {
		text := fmt.Sprintf("0/%d nodes are available: %d Insufficient nvidia.com/gpu.", round, round)
		for _, name := range names {
			d.conditions.Set(name, refused(text))
		}
		for _, key := range keys {
			d.reporter.Decided(key, metav1.Condition{Status: metav1.ConditionFalse, Reason: "Unschedulable", Message: text})
			if err := d.reporter.report(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			d.conditions.flush(t.Context(), name)
		}
		if round == 0 {
			for _, name := range names {
				obj, _, _ := d.pods.GetByKey(name.String())
				pod := obj.(*corev1.Pod).DeepCopy()
				pod.Status.Conditions = []corev1.PodCondition{refused(text)}
				d.see(t, pod)
			}
		}
	}
	if n := len(d.events.Log); n != gangs {
		t.Errorf("%d events, want %d", n, gangs)
	}
	if n := len(d.statuses()); n != gangs {
		t.Errorf("%d statuses, want %d", n, gangs)
	}
	if n := len(d.server.Actions()); n != gangs*size {
		t.Errorf("%d conditions, want %d", n, gangs*size)
	}
}
