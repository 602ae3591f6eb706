package engine

import (
	"testing"
	"time"

	"k8s.io/component-base/metrics/testutil"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/dialect"
)

// TestGangIsTimed follows a gang that waits for nodes: how long it took to be bound, to run,
// and since it was refused.
func TestGangIsTimed(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int64
		want  uint64
	}{{"nodes came", 1, 1}, {"room was freed", 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			countedRegistry()
			gangWait.Reset()
			gangStart.Reset()
			before := histogram(t, scaleUpMetric.Name)
			d := newReporterRig(t, dialect.SchedulerPlugins)
			nodes := int64(7)
			d.reporter.nodesAdded = func() int64 { return nodes }
			d.reporter.devices = func(*corev1.Pod) (corev1.ResourceName, int64) { return "nvidia.com/gpu", 8 }
			old := func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(d.clock.Now().Add(-40 * time.Second)) }
			a, b := d.member("a", "", old), d.member("b", "")
			d.declare("1", 2)
			d.set(a, b)
			d.refuse("0/1 nodes: Insufficient nvidia.com/gpu")
			d.mustReport(time.Second)
			d.clock.Step(20 * time.Second)
			nodes += c.nodes
			d.bind(a, b)
			d.mustReport(quietDelay)
			run := func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning }
			d.set(d.member("a", "n", old, run), d.member("b", "n", run))
			d.mustReport(10 * time.Second)
			d.mustReport(time.Hour)

			for metric, bounds := range map[string][2]float64{gangWaitMetric.Name: {59, 63}, gangStartMetric.Name: {9, 12}} {
				vec := gangWait
				if metric == gangStartMetric.Name {
					vec = gangStart
				}
				n, err := testutil.GetHistogramMetricCount(vec.WithLabelValues("8-63"))
				sum, errSum := testutil.GetHistogramMetricValue(vec.WithLabelValues("8-63"))
				if err != nil || errSum != nil || n != 1 || sum < bounds[0] || sum > bounds[1] {
					t.Errorf("%s: %d times, %v seconds in all; want once and between %v (%v, %v)", metric, n, sum, bounds, err, errSum)
				}
			}
			if got := histogram(t, scaleUpMetric.Name) - before; got != c.want {
				t.Errorf("the time to scale was counted %d times, want %d", got, c.want)
			}
		})
	}
}

// histogram returns how many times scaleUp was observed.
func histogram(t *testing.T, name string) uint64 {
	t.Helper()
	n, err := testutil.GetHistogramMetricCount(scaleUp.ObserverMetric)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestDemand has pods come, be bound, run and go.
func TestDemand(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	demand := newDemand(d.clock, func(string) bool { return true }, func(p *corev1.Pod) (corev1.ResourceName, int64) {
		return "nvidia.com/gpu", int64(len(p.Name))
	})
	asked := func(want int64) {
		t.Helper()
		if got := demand.Asked()["nvidia.com/gpu"]; got != want {
			t.Errorf("%d devices asked for, want %d", got, want)
		}
	}
	pod := func(name, group string, change ...func(*corev1.Pod)) *corev1.Pod {
		p := testPod(name)
		for _, c := range change {
			c(p)
		}
		if group != "" {
			p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}
		return p
	}
	demand.SetPod(pod("a", "g"))
	demand.SetPod(pod("bb", "g"))
	demand.SetPod(pod("bb", "g"))
	demand.SetPod(pod("cccc", ""))
	demand.SetPod(pod("gated", "", func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "x"}} }))
	asked(7)
	countedRegistry()
	podStart.Reset()
	demand.Bound(pod("a", "g"))
	demand.SetPod(pod("a", "g", func(p *corev1.Pod) { p.Spec.NodeName = "n" }))
	asked(6)
	d.clock.Step(3 * time.Second)
	running := pod("a", "g", func(p *corev1.Pod) { p.Spec.NodeName, p.Status.Phase = "n", corev1.PodRunning })
	demand.SetPod(running)
	demand.SetPod(running)
	if sum, err := testutil.GetHistogramMetricValue(podStart.WithLabelValues("1")); err != nil || sum < 3 || sum >= 4 {
		t.Errorf("the pod took %v seconds to run, want 3 (%v)", sum, err)
	}
	if n, err := testutil.GetHistogramMetricCount(podStart.WithLabelValues("1")); err != nil || n != 1 {
		t.Errorf("the pod was seen to run %d times, want once (%v)", n, err)
	}
	for _, name := range []string{"bb", "cccc", "a", "gated", "never"} {
		demand.DeletePod(pod(name, "").UID)
	}
	asked(0)
	if len(demand.waiting)+len(demand.bound)+len(demand.by) > 0 {
		t.Error("pods that are gone are kept")
	}
}
