package departures

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// register is a cluster's owners, by name.
type register struct {
	t           *testing.T
	specs       map[string]string
	may         bool
	reclaimable bool
	err         error
	reads       int
}

func (r *register) Owners(_ context.Context, pod *corev1.Pod) ([]dialect.OwnerObject, error) {
	r.reads++
	if r.err != nil {
		return nil, r.err
	}
	ref, _ := dialect.Controller(pod)
	o := dialect.OwnerObject{OwnerRef: ref}
	if text, some := r.specs[ref.Name]; some {
		o.Object = &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object.Object); err != nil {
			r.t.Fatal(err)
		}
	}
	return []dialect.OwnerObject{o}, nil
}

func (r *register) MaySuspend(context.Context, schema.GroupResource) bool { return r.may }

func (r *register) Reclaimable(*corev1.Pod) bool { return r.reclaimable }

// bench is what knows of gangs of 2 pods, of Jobs.
type bench struct {
	*Departures
	*register
	clock  *clocktesting.FakeClock
	client *fake.Clientset
}

func newBench(t *testing.T, specs map[string]string) *bench {
	b := &bench{register: &register{t: t, specs: specs, reclaimable: true}, clock: clocktesting.NewFakeClock(time.Unix(1_000_000, 0)), client: fake.NewClientset()}
	b.Departures = New(b.register, b.register, b.client, b.clock, func() {})
	return b
}

func (b *bench) gang(job string, changes ...func(*corev1.Pod)) string {
	yes, group, name := true, "g-"+job, ""
	for i := range 2 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("%s-%d", job, i), UID: types.UID(fmt.Sprintf("%s-%d", job, i)),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job, UID: types.UID(job), Controller: &yes}}}}
		pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		for _, change := range changes {
			change(pod)
		}
		b.Set(pod)
		name = workload.NameOf(pod)
	}
	return name
}

func (b *bench) events(t *testing.T) []string {
	t.Helper()
	list, err := b.client.EventsV1().Events("ns").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		out = append(out, e.Regarding.Kind+" "+e.Regarding.Name+": "+e.Note)
	}
	return out
}

const frail, hardy = "{spec: {backoffLimit: 1}}", "{spec: {backoffLimit: 0, podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}}}"

func TestFates(t *testing.T) {
	for _, test := range []struct {
		name string
		job  string
		may  bool
		want queueing.Fate
	}{
		{"no retries for two pods", frail, false, queueing.Fate{Ends: true, Together: "job"}},
		{"no retries at all", "{spec: {backoffLimit: 0}}", false, queueing.Fate{Ends: true, Whole: true, Together: "job"}},
		{"suspended, for it would not survive a pod", "{spec: {backoffLimit: 0}}", true, queueing.Fate{Whole: true, Together: "job"}},
		{"evictions are ignored", hardy, false, queueing.Fate{}},
		{"not readable", "", false, queueing.Fate{}},
	} {
		specs := map[string]string{}
		if test.job != "" {
			specs["job"] = test.job
		}
		b := newBench(t, specs)
		b.may = test.may
		got, err := b.Read(t.Context(), b.gang("job"))
		if err != nil || got != test.want {
			t.Errorf("%s: fate is %+v, %v; want %+v", test.name, got, err, test.want)
		}
	}
}

// Nothing is read while it is asked for; one read answers for a minute, and nothing is kept
// of a gang that is gone.
func TestNothingIsReadInACycle(t *testing.T) {
	b := newBench(t, map[string]string{"job": "{spec: {backoffLimit: 0}}"})
	name := b.gang("job")
	if got := b.Of(name); got != (queueing.Fate{}) || b.reads != 0 {
		t.Fatalf("fate is %+v after %d reads; want nothing known, nothing read", got, b.reads)
	}
	b.next(t.Context(), name)
	for range 3 {
		if got := b.Of(name); !got.Ends {
			t.Fatalf("fate is %+v, want that it ends", got)
		}
		b.next(t.Context(), name)
	}
	if b.reads != 1 {
		t.Errorf("%d reads within a minute, want 1", b.reads)
	}
	b.clock.Step(freshFor)
	b.Of(name)
	if b.next(t.Context(), name); b.reads != 2 {
		t.Errorf("%d reads after a minute, want 2", b.reads)
	}
	b.Gone("job-0")
	b.Gone("job-1")
	if got := b.Of(name); got != (queueing.Fate{}) || len(b.gangs)+len(b.of) != 0 {
		t.Errorf("fate is %+v, and %d gangs and %d pods are kept of none", got, len(b.gangs), len(b.of))
	}
}

// Gangs of queues that nobody takes from are read only if somebody asks.
func TestReadWhereItMatters(t *testing.T) {
	b := newBench(t, map[string]string{"job": frail})
	b.reclaimable = false
	name := b.gang("job")
	if b.next(t.Context(), name); b.reads != 0 {
		t.Errorf("%d reads of a gang that nobody takes from", b.reads)
	}
	b.Of(name)
	if b.next(t.Context(), name); b.reads != 1 || len(b.events(t)) != 0 {
		t.Errorf("%d reads once it was asked for, events %q", b.reads, b.events(t))
	}
}

// More gangs than may be read at once are read later.
func TestReadsAreBounded(t *testing.T) {
	b := newBench(t, map[string]string{})
	for i := range burst + 20 {
		b.next(t.Context(), b.gang(fmt.Sprint("job", i)))
	}
	if b.reads != burst {
		t.Errorf("%d gangs are read at once, want %d", b.reads, burst)
	}
}

// The owner is told once, in one event with what mends it; the next leader does not write it
// again.
func TestToldOnce(t *testing.T) {
	b := newBench(t, map[string]string{"frail": frail, "hardy": hardy})
	for range 2 {
		for _, job := range []string{"frail", "hardy", "unknown"} {
			name := b.gang(job)
			for range 2 {
				b.next(t.Context(), name)
				b.clock.Step(freshFor)
			}
		}
		b.Departures = New(b.register, b.register, b.client, b.clock, func() {})
	}
	got := b.events(t)
	if len(got) != 1 || !strings.HasPrefix(got[0], `Job frail: Gang ns/g-frail may have to give up its place`) ||
		!strings.Contains(got[0], "podFailurePolicy.rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}];\nor ") ||
		!strings.HasSuffix(got[0], "kubectl apply -k manifests/suspend") {
		t.Errorf("events are %q, want one about the Job that would not survive", got)
	}
}

func TestReadFails(t *testing.T) {
	b := newBench(t, nil)
	b.err = errors.New("the server is busy")
	name := b.gang("job")
	if _, err := b.Read(t.Context(), name); err == nil || !strings.Contains(err.Error(), "ns/g-job") {
		t.Errorf("got %v, want an error that names the gang", err)
	}
	if b.next(t.Context(), name); b.Of(name) != (queueing.Fate{}) {
		t.Error("something is known of a gang whose owner could not be read")
	}
}

// How the owners of a gang make its pods is known once they were read, whatever its queue.
func TestSequenceIsRead(t *testing.T) {
	b := newBench(t, map[string]string{"job": "{spec: {parallelism: 2}}"})
	b.reclaimable = false
	name := b.gang("job", func(p *corev1.Pod) { group := "owner:job.batch/job"; p.Spec.SchedulingGroup.PodGroupName = &group })
	key := gang.KeyOf("ns", "owner:job.batch/job")
	if got, known := b.Sequence(key); known || got.Text != "" || b.reads != 0 {
		t.Fatalf("sequence is %+v, known %t, after %d reads; want nothing known, nothing read", got, known, b.reads)
	}
	b.next(t.Context(), name)
	got, known := b.Sequence(key)
	if want := `Job "ns/job" has 2 pods at a time`; !known || !strings.HasPrefix(got.Why(4), want) || got.Why(2) != "" {
		t.Errorf("sequence is %+v, known %t, want %q for a gang of 4 and nothing for one of 2", got, known, want)
	}
	if _, known := b.Sequence(gang.KeyOf("ns", "berth:other")); !known {
		t.Error("a gang whose pods have no controller is to be asked for again")
	}
}
