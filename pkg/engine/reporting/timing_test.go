package reporting

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/measure"
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
			measure.RegisterIn(metrics.NewKubeRegistry())
			measure.GangWait.Reset()
			measure.GangStart.Reset()
			before := histogram(t, measure.ScaleUpMetric.Name)
			d := newReporterRig(t, dialect.SchedulerPlugins)
			nodes := int64(7)
			d.reporter.NodesAdded = func() int64 { return nodes }
			d.reporter.Devices = func(*corev1.Pod) (corev1.ResourceName, int64) { return "nvidia.com/gpu", 8 }
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

			for metric, bounds := range map[string][2]float64{measure.GangWaitMetric.Name: {59, 63}, measure.GangStartMetric.Name: {9, 12}} {
				vec := measure.GangWait
				if metric == measure.GangStartMetric.Name {
					vec = measure.GangStart
				}
				n, err := testutil.GetHistogramMetricCount(vec.WithLabelValues("8-63"))
				sum, errSum := testutil.GetHistogramMetricValue(vec.WithLabelValues("8-63"))
				if err != nil || errSum != nil || n != 1 || sum < bounds[0] || sum > bounds[1] {
					t.Errorf("%s: %d times, %v seconds in all; want once and between %v (%v, %v)", metric, n, sum, bounds, err, errSum)
				}
			}
			if got := histogram(t, measure.ScaleUpMetric.Name) - before; got != c.want {
				t.Errorf("the time to scale was counted %d times, want %d", got, c.want)
			}
		})
	}
}

// histogram returns how many times scaleUp was observed.
func histogram(t *testing.T, name string) uint64 {
	t.Helper()
	n, err := testutil.GetHistogramMetricCount(measure.ScaleUp.ObserverMetric)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
