package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// TestOnlyChanges counts the requests of a life: each change is one write, and no
// change is none.
func TestOnlyChanges(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	r.tick(3)
	r.expect("nothing is known yet", "")
	r.read(machine(4), nil)
	r.tick(1)
	r.expect("the first report", "1 apply, 1 apply status, 1 get, 1 get node")
	r.read(machine(4), nil)
	r.tick(20)
	r.expect("nothing changes", "")
	r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
	r.tick(5)
	r.expect("a pod came", "1 apply status")
	r.kubelet.say([]report.Held{holds("q", "g2", "g1"), holds("r", "g3")}, nil)
	r.tick(5)
	r.expect("a pod went and two came between two polls", "1 apply status")
	r.read(machine(5), nil)
	r.tick(5)
	r.expect("a device came", "1 apply")

	got := r.api.topology(t)
	want := []v1alpha1.Allocation{
		{Namespace: "ns", Pod: "q", Container: "main", Devices: []string{"g1", "g2"}},
		{Namespace: "ns", Pod: "r", Container: "main", Devices: []string{"g3"}},
	}
	if diff := cmp.Diff(want, got.Status.Allocations); diff != "" {
		t.Errorf("allocations (-want +got):\n%s", diff)
	}
	owner := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", UID: "node-1"}}
	if diff := cmp.Diff(owner, got.OwnerReferences); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// TestResync lets somebody else change the object.
func TestResync(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	r.read(machine(2), nil)
	r.tick(1)
	r.api.asked()
	// Ten minutes are 120 polls; the fake chance takes nothing from them.
	r.tick(119)
	r.expect("before", "")
	r.tick(1)
	r.expect("nothing was changed", "1 get")

	want := r.api.topology(t)
	r.api.change(func() {
		r.api.object.Object["spec"].(map[string]any)["resource"] = "other.com/gpu"
		r.api.object.Object["metadata"].(map[string]any)["labels"] = map[string]any{"whose": "somebody's"}
	})
	r.tick(120)
	r.expect("the spec was changed", "1 apply, 1 get")
	if diff := cmp.Diff(want.Spec, r.api.topology(t).Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	r.api.change(func() { delete(r.api.object.Object, "status") })
	r.tick(120)
	r.expect("the status was deleted", "1 apply status, 1 get")
	r.api.change(func() {
		r.api.object.Object["metadata"].(map[string]any)["labels"] = map[string]any{"whose": "somebody's"}
	})
	r.tick(120)
	r.expect("a label was set, which is nobody's business", "1 get")
}

// The resync interval varies by a fifth either way.
func TestJitter(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 8 * time.Minute, 0.5: 10 * time.Minute, 1: 12 * time.Minute} {
		r := newRig(t, newFakeAPI(), nil)
		r.agent.random = func() float64 { return random }
		r.read(machine(1), nil)
		r.tick(1)
		if got := r.agent.resyncAt.Sub(r.clock.Now()); got != want {
			t.Errorf("chance %v: resync after %s, want %s", random, got, want)
		}
	}
}

// TestRestart starts a second agent where a first one reported.
func TestRestart(t *testing.T) {
	api := newFakeAPI()
	first := newRig(t, api, nil)
	first.read(machine(3), nil)
	xid, _ := report.XidFault("g1", 79)
	first.agent.take(t.Context(), reading{faults: []report.Fault{xid}})
	first.kubelet.say([]report.Held{holds("p", "g0")}, nil)
	first.tick(1)
	api.asked()
	before := api.topology(t)

	t.Run("nothing is written", func(t *testing.T) {
		r := newRig(t, api, nil)
		r.read(machine(3), nil)
		r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
		r.tick(3)
		r.expect("unchanged", "1 get, 1 get node")
		if diff := cmp.Diff(before, api.topology(t)); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
	t.Run("without a driver, devices and faults stay", func(t *testing.T) {
		r := newRig(t, api, nil)
		r.read(nil, fmt.Errorf("loading: %w", report.ErrNoDriver))
		r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
		r.tick(3)
		r.expect("the condition", "1 apply status, 1 get, 1 get node")
		after := api.topology(t)
		if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
			t.Errorf("spec (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(before.Status.Unhealthy, after.Status.Unhealthy); diff != "" {
			t.Errorf("unhealthy (-before +after):\n%s", diff)
		}
		if r.ready() != v1alpha1.ReasonNoDriver {
			t.Errorf("ready is %q", r.ready())
		}
	})
	t.Run("a device that went meanwhile is lost", func(t *testing.T) {
		r := newRig(t, api, nil)
		r.read(machine(2), nil)
		r.tick(1)
		after := api.topology(t).Status.Unhealthy
		if len(after) != 2 || after[0].Reason != v1alpha1.ReasonXid || after[1].Reason != v1alpha1.ReasonLost {
			t.Errorf("got %v, want the Xid error of before and a lost device", after)
		}
	})
}

// A node without GPUs is asked about once in a while, and nothing is written.
func TestNoGPU(t *testing.T) {
	for name, tell := range map[string]func(*rig){
		"no library": func(r *rig) { r.read(nil, report.ErrNoDriver) },
		"no device":  func(r *rig) { r.read(&report.Machine{}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newFakeAPI(), nil)
			tell(r)
			r.tick(60)
			r.expect("five minutes", "1 get")
		})
	}
}

func TestDeleted(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	xid, _ := report.XidFault("g0", 79)
	r.read(machine(3), nil)
	r.tick(1)
	r.read(machine(2), nil)
	r.agent.take(t.Context(), reading{faults: []report.Fault{xid}})
	r.tick(1)
	if n := len(r.api.topology(t).Status.Unhealthy); n != 2 {
		t.Fatalf("%d devices are unhealthy, want one with an Xid error and one that is lost", n)
	}
	r.api.asked()

	// Found out at the next change of the status: by another Node of that name.
	r.api.change(func() { r.api.object, r.api.nodeUID = nil, "node-2" })
	r.kubelet.say([]report.Held{holds("p", "g1")}, nil)
	r.tick(2)
	r.expect("deleted before a change", "1 apply, 2 apply status, 1 get node")
	got := r.api.topology(t)
	if len(got.Spec.Devices) != 2 || len(got.Status.Unhealthy) != 0 || len(got.Status.Allocations) != 1 || got.OwnerReferences[0].UID != "node-2" {
		t.Errorf("got %+v, want what is there now, and no more", got)
	}

	// Found out at the next resync.
	r.api.change(func() { r.api.object = nil })
	r.tick(121)
	r.expect("deleted long before", "1 apply, 1 apply status, 1 get, 1 get node")

	// Made anew by our own write of the spec: the status is written with it.
	r.api.change(func() { r.api.object = nil })
	r.read(machine(4), nil)
	r.tick(1)
	r.expect("deleted before a device came", "1 apply, 1 apply status")
}

// TestAPIAway lets the API server fail for a while: requests grow rarer, and what is
// written in the end is what is there then.
func TestAPIAway(t *testing.T) {
	away := errors.New("connection refused")
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "nodetopologies"}, "n1", errors.New("the object has been modified"))
	for name, err := range map[string]error{"away": away, "conflict": conflict} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newFakeAPI(), nil)
			r.read(machine(2), nil)
			r.tick(1)
			r.api.asked()
			r.api.change(func() { r.api.fail = func(string) error { return err } })
			r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
			r.tick(24) // two minutes: at 0, 5, 10, 20, 30, 60, 100 seconds, or so
			var n int
			if _, err := fmt.Sscanf(r.api.asked(), "%d apply status", &n); err != nil || n < 4 || n > 8 {
				t.Errorf("asked %d times in two minutes, want a few times (%v)", n, err)
			}
			if got := len(r.agent.troubles["the API server"]); got == 0 {
				t.Error("no trouble is known")
			}
			r.api.change(func() { r.api.fail = nil })
			r.kubelet.say([]report.Held{holds("q", "g1")}, nil)
			r.tick(40) // the longest wait, and more
			r.expect("it is back", "1 apply status")
			if a := r.api.topology(t).Status.Allocations; len(a) != 1 || a[0].Pod != "q" {
				t.Errorf("got %v, want what is there now", a)
			}
		})
	}
}

// Until it is known what the object says, nothing is written: a device that is lost
// would be forgotten.
func TestAPIAwayAtStart(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	r.api.change(func() { r.api.fail = func(string) error { return errors.New("connection refused") } })
	r.read(machine(1), nil)
	r.tick(1)
	r.expect("at the start", "1 get")
	r.api.change(func() { r.api.fail = nil })
	r.tick(1)
	r.expect("later", "1 apply, 1 apply status, 1 get, 1 get node")
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*fakeAPI)
		want  string
	}{
		{"no Node", func(f *fakeAPI) { f.nodeUID = "" }, "--node-name"},
		{"no kind", func(f *fakeAPI) {
			f.fail = func(request string) error {
				if request == "get node" {
					return nil
				}
				return notFound("nodetopologies", "n1")
			}
		}, "manifests/crds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, newFakeAPI(), nil)
			test.spoil(r.api)
			r.read(machine(1), nil)
			r.tick(1)
			if got := r.agent.troubles["the API server"]; !strings.Contains(got, test.want) {
				t.Errorf("got %q, want what says %q", got, test.want)
			}
		})
	}
}

func TestKubeletFails(t *testing.T) {
	broken := errors.New("no such file")
	t.Run("for as long as a restart takes", func(t *testing.T) {
		r := newRig(t, newFakeAPI(), nil)
		r.read(machine(2), nil)
		r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
		r.tick(1)
		r.api.asked()
		r.kubelet.say(nil, broken)
		r.tick(6)
		r.expect("it restarts", "")
		r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
		r.tick(1)
		r.expect("it is back", "")
	})
	t.Run("for long", func(t *testing.T) {
		r := newRig(t, newFakeAPI(), nil)
		r.read(machine(2), nil)
		r.kubelet.say([]report.Held{holds("p", "g0")}, nil)
		r.tick(1)
		r.kubelet.say(nil, broken)
		r.tick(20)
		if got := r.api.topology(t); r.ready() != v1alpha1.ReasonKubeletFailed || len(got.Status.Allocations) != 1 {
			t.Errorf("ready is %q with %v, want that it fails, and what was held before", r.ready(), got.Status.Allocations)
		}
		r.kubelet.say(nil, nil)
		r.tick(1)
		if got := r.api.topology(t); r.ready() != v1alpha1.ReasonReady || len(got.Status.Allocations) != 0 {
			t.Errorf("ready is %q with %v, want nothing held", r.ready(), got.Status.Allocations)
		}
	})
	t.Run("from the start", func(t *testing.T) {
		r := newRig(t, newFakeAPI(), nil)
		r.read(machine(2), nil)
		r.kubelet.say(nil, broken)
		r.tick(6)
		r.expect("too early to tell", "")
		r.tick(1)
		r.expect("devices without allocations", "1 apply, 1 apply status, 1 get, 1 get node")
		if r.ready() != v1alpha1.ReasonKubeletFailed {
			t.Errorf("ready is %q", r.ready())
		}
	})
}

// A driver that says nothing for long hangs.
func TestDriverHangs(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	r.read(machine(2), nil)
	r.silent = true
	r.tick(60)
	if r.ready() != v1alpha1.ReasonReady {
		t.Errorf("after five minutes, ready is %q", r.ready())
	}
	r.tick(1)
	if r.ready() != v1alpha1.ReasonDriverFailed || len(r.api.topology(t).Spec.Devices) != 2 {
		t.Errorf("after more, ready is %q", r.ready())
	}
	r.read(machine(2), nil)
	r.tick(1)
	if r.ready() != v1alpha1.ReasonReady {
		t.Errorf("when it answers again, ready is %q", r.ready())
	}
}

// The kubelet names a part that is not known: the hardware is asked again.
func TestUnknownPart(t *testing.T) {
	r := newRig(t, newFakeAPI(), nil)
	m := machine(2)
	r.read(m, nil)
	part := report.Held{Namespace: "ns", Pod: "p", Container: "main", Resource: "nvidia.com/mig-1g.10gb", IDs: []string{"MIG-a"}}
	r.kubelet.say([]report.Held{part}, nil)
	r.tick(2) // a second wish finds no room
	select {
	case <-r.agent.readAgain:
	default:
		t.Fatal("nobody asked for a read")
	}
	m.Parts = map[string]string{"MIG-a": "g1"}
	r.read(m, nil)
	r.tick(1)
	if a := r.api.topology(t).Status.Allocations; len(a) != 1 || a[0].Devices[0] != "g1" {
		t.Errorf("got %v, want the device of the part", a)
	}
	select {
	case <-r.agent.readAgain:
		t.Error("a read is asked for though the part is known")
	default:
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{Node: report.Node{Name: "n", Resource: "nvidia.com/gpu"}, PollInterval: time.Second, ResyncInterval: time.Minute}
	for _, test := range []struct {
		name  string
		spoil func(*Options)
		want  string
	}{
		{"good", func(*Options) {}, ""},
		{"no name", func(o *Options) { o.Node.Name = "" }, "name of the node"},
		{"no resource", func(o *Options) { o.Node.Resource = "" }, "resource"},
		{"no poll", func(o *Options) { o.PollInterval = 0 }, "poll interval of 0s"},
		{"no resync", func(o *Options) { o.ResyncInterval = time.Second }, "resync interval of 1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good
			test.spoil(&o)
			_, err := New(o, Sources{Registerer: prometheus.NewRegistry(), Clock: clock.RealClock{}})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
