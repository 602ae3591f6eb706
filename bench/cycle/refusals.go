package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-base/logs"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/engine"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// refusalOptions are the flags of the subcommand refusals.
type refusalOptions struct {
	nodes, hopeless, fitting, pods int
	schedulers                     []string
	limit                          time.Duration
	out, cpuProfile                string
}

// refusalPods is how many pods a gang has.
const refusalPods = 2

func refusalsCommand() *cobra.Command {
	o := &refusalOptions{}
	cmd := &cobra.Command{
		Use:   "refusals",
		Short: "Measure what it costs others that one namespace has thousands of gangs that fit nowhere",
		Long: `Measures what it costs others that one namespace has thousands of gangs that fit nowhere,
where there is no Queue.

All gangs come at once to a cluster without pods, those that fit nowhere first; each has 2
pods. The scheduler runs once all of them are in its queue. A gang that fits is measured from
then until its last pod is bound. The time on processors is that of the whole process, with
the API server in memory, from then until all that fit are bound and every other gang was
tried: it is divided by the tries of gangs that were refused, those that were tried again
among them. So is the time for which the scheduling loop works, and does not wait for the
next to try: for so long, everybody else waits.`,
		Args: cobra.NoArgs, SilenceUsage: true,
		Example: `  go run ./bench/cycle refusals
  go run ./bench/cycle refusals --schedulers berth-engine --hopeless 10000 --pods 1`,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	fs := cmd.Flags()
	fs.IntVar(&o.nodes, "nodes", 2500, "Size of the cluster.")
	fs.IntVar(&o.hopeless, "hopeless", 2500, "How many gangs fit nowhere.")
	fs.IntVar(&o.fitting, "fitting", 500, "How many gangs of another namespace fit.")
	fs.IntVar(&o.pods, "pods", refusalPods, "How many pods a gang has; 1 for plain pods.")
	fs.StringSliceVar(&o.schedulers, "schedulers", []string{schedulers.BerthEngine, schedulers.Upstream}, "Who is measured.")
	fs.DurationVar(&o.limit, "limit", 2*time.Minute, "After how long a measurement ends, whatever was reached.")
	fs.StringVar(&o.out, "out", "bench/out/refusals.json", "Where the results are written.")
	profileFlag(cmd, &o.cpuProfile)
	return cmd
}

func (o *refusalOptions) run() error {
	if o.nodes < 1 || o.hopeless < 1 || o.fitting < 1 || o.pods < 1 || o.limit <= 0 {
		return fmt.Errorf("--nodes=%d, --hopeless=%d, --fitting=%d, --pods=%d, --limit=%s: each must be positive", o.nodes, o.hopeless, o.fitting, o.pods, o.limit)
	}
	if o.fitting*o.pods > o.nodes*rig.GPUsPerNode {
		return fmt.Errorf("--fitting=%d gangs of --pods=%d do not fit on --nodes=%d of %d GPUs", o.fitting, o.pods, o.nodes, rig.GPUsPerNode)
	}
	if err := podgroups.EnableGangEngine(); err != nil {
		return err
	}
	logs.InitLogs()
	klog.SetOutput(discard{})
	klog.LogToStderr(false)
	stop, err := rig.StartProfile(o.cpuProfile)
	if err != nil {
		return err
	}
	defer stop()
	all := report.Report{Environment: report.Here()}
	for _, name := range o.schedulers {
		runtime.GC()
		row, err := o.measure(name)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", name, err)
		}
		all.Refusals = append(all.Refusals, row)
		fmt.Fprintf(os.Stderr, "%-14s %d of %d that fit are placed, p50 %.2f s, p99 %.2f s; %d of %d others tried, %d tries, %.0f µs of the loop and %.0f µs of processors each\n", name,
			row.Placed, row.Fitting, row.SecondsP50, row.SecondsP99, row.Tried, row.Hopeless, row.Refusals, row.LoopUs, row.ProcessorUs)
		if err := all.Write(o.out); err != nil {
			return err
		}
	}
	fmt.Println(report.RefusalTable(all.Refusals))
	return nil
}

// refusals is what is seen of one scheduler.
type refusals struct {
	mu    sync.Mutex
	began time.Time
	// left are how many pods of each gang that fits are not bound, and took how long the others
	// took.
	left map[string]int
	took []float64
	// tried counts the tries of each gang that was refused.
	tried    map[string]int
	refusals int
	// idle is for how long the scheduling loop has waited for somebody to try, and since is when
	// it began to wait; zero while it works.
	idle  time.Duration
	since time.Time
}

// watchLoop notes when the scheduling loop waits. It has to be called before anybody else takes
// the place of NextEntity, for what they do is work of the loop.
func (r *refusals) watchLoop(sched *scheduler.Scheduler) {
	next := sched.NextEntity
	sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		r.mu.Lock()
		r.since = time.Now()
		r.mu.Unlock()
		entity, err := next(logger)
		r.mu.Lock()
		r.idle, r.since = r.idle+time.Since(r.since), time.Time{}
		r.mu.Unlock()
		return entity, err
	}
}

// busy is for how long the scheduling loop has worked, from began until now. The caller holds mu.
func (r *refusals) busy() time.Duration {
	now := time.Now()
	busy := now.Sub(r.began) - r.idle
	if !r.since.IsZero() {
		busy -= now.Sub(r.since)
	}
	return busy
}

func gangNameOf(pod string) string { return pod[:strings.LastIndex(pod, "-")] }

func (r *refusals) bound(pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gang := gangNameOf(pod.Name)
	if r.left[gang]--; r.left[gang] == 0 {
		r.took = append(r.took, time.Since(r.began).Seconds())
	}
}

// watch counts the refusals of a scheduler, by the first pod of each gang.
func (r *refusals) watch(sched *scheduler.Scheduler) {
	handle := sched.FailureHandler
	sched.FailureHandler = func(ctx context.Context, f framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, nominated *fwk.NominatingInfo, start time.Time) {
		if strings.HasSuffix(info.Pod.Name, "-0") {
			r.mu.Lock()
			r.tried[gangNameOf(info.Pod.Name)]++
			r.refusals++
			r.mu.Unlock()
		}
		handle(ctx, f, info, status, nominated, start)
	}
}

func (o *refusalOptions) measure(name string) (report.RefusalRow, error) {
	r := &refusals{left: map[string]int{}, tried: map[string]int{}}
	row := report.RefusalRow{Scheduler: name, Nodes: o.nodes, Hopeless: o.hopeless, Fitting: o.fitting, Pods: o.pods}
	server, err := rig.NewServer(o.nodes, nil, r.bound)
	if err != nil {
		return row, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	sched, factory, err := startOn(ctx, name, server, r.watchLoop)
	if err != nil {
		return row, err
	}
	r.watch(sched)
	factory.StartWithContext(ctx)
	factory.WaitForCacheSyncWithContext(ctx)
	if err := sched.WaitForHandlersSync(ctx); err != nil {
		return row, err
	}
	var pods []*corev1.Pod
	for i := range o.hopeless + o.fitting {
		namespace, gang, gpus := "hopeless", "h"+strconv.Itoa(i), 2*rig.GPUsPerNode
		if i >= o.hopeless {
			namespace, gang, gpus = "fitting", "f"+strconv.Itoa(i), 1
			r.left[gang] = o.pods
		}
		made, err := o.gang(ctx, name, server, namespace, gang, gpus)
		if err != nil {
			return row, err
		}
		pods = append(pods, made...)
	}
	server.Set(pods...)
	for {
		if pending, _ := sched.SchedulingQueue.PendingPods(); len(pending) >= len(pods) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	processor := processorTime()
	r.began = time.Now()
	go sched.Run(ctx)
	for {
		r.mu.Lock()
		row.Placed, row.Tried, row.Refusals = len(r.took), len(r.tried), r.refusals
		r.mu.Unlock()
		if row.Placed == o.fitting && row.Tried == o.hopeless || time.Since(r.began) > o.limit {
			break
		}
		time.Sleep(time.Millisecond)
	}
	row.Seconds = time.Since(r.began).Seconds()
	if row.Refusals == 0 {
		return row, errors.New("no gang was refused, though they fit nowhere")
	}
	row.ProcessorUs = float64((processorTime() - processor).Microseconds()) / float64(row.Refusals)
	r.mu.Lock()
	defer r.mu.Unlock()
	row.LoopUs = float64(r.busy().Microseconds()) / float64(row.Refusals)
	if row.Placed > 0 {
		slices.Sort(r.took)
		row.SecondsP50, row.SecondsP99 = quantile(r.took, 50), quantile(r.took, 99)
	}
	return row, nil
}

// startOn makes a scheduler on a server, whose informers do not run yet. It is made known as
// upstream makes it.
func startOn(ctx context.Context, name string, server *rig.Server, made func(*scheduler.Scheduler)) (*scheduler.Scheduler, informers.SharedInformerFactory, error) {
	clients := server.Clients()
	who, client, factory := (*schedulers.Scheduler)(nil), clients.Kubernetes, informers.NewSharedInformerFactory(clients.Kubernetes, 0)
	recorders := func(string) events.EventRecorderLogger { return &events.FakeRecorder{} }
	var err error
	if name == schedulers.BerthEngine {
		var embedded *engine.Embedded
		if who, embedded, err = schedulers.NewEngine(ctx, clients); err == nil {
			client, factory, recorders = embedded.Client(), embedded.Informers(), embedded.Recorders()
		}
	} else {
		who, err = schedulers.New(name, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	profile, err := who.Profile()
	if err != nil {
		return nil, nil, err
	}
	sched, err := scheduler.New(ctx, client, factory, nil, recorders, scheduler.WithProfiles(*profile), scheduler.WithFrameworkOutOfTreeRegistry(who.Plugins))
	if err != nil {
		return nil, nil, err
	}
	made(sched)
	return sched, factory, who.Attach(sched)
}

// gang makes the pods of a gang: for Berth as users declare it, and for the others with a
// native group.
func (o *refusalOptions) gang(ctx context.Context, scheduler string, server *rig.Server, namespace, name string, gpus int) ([]*corev1.Pod, error) {
	var pods []*corev1.Pod
	native := o.pods > 1 && scheduler != schedulers.BerthEngine
	for i := range o.pods {
		p := rig.Pod(name+"-"+strconv.Itoa(i), gpus)
		p.Namespace, p.CreationTimestamp = namespace, metav1.Now()
		switch {
		case native:
			p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name}
		case o.pods > 1:
			p.Labels = map[string]string{"berth.dev/gang": name}
			p.Annotations = map[string]string{"berth.dev/gang-size": strconv.Itoa(o.pods)}
		}
		pods = append(pods, p)
	}
	if !native {
		return pods, nil
	}
	group := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(o.pods)},
		}},
	}
	if _, err := server.Clients().Kubernetes.SchedulingV1beta1().PodGroups(namespace).Create(ctx, group, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating pod group %q: %w", name, err)
	}
	return pods, nil
}
