package drills

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
)

// Options of a course of drills.
type Options struct {
	Drills []Drill
	// Heartbeat is how often a node renews its lease; five that are missed make it not ready.
	Heartbeat time.Duration
	// Tolerates is how long pods stay on a node that is not ready, in whole seconds.
	Tolerates time.Duration
	// SchedulerLog is where the scheduler's log is kept if a drill does not end as it should; "" for nowhere.
	SchedulerLog string
	// Log is told what is going on.
	Log io.Writer
}

func (o Options) seconds() int64 { return int64(o.Tolerates / time.Second) }

// Play starts a cluster with Berth and gangs, plays drills on it one after another, and ends it
// all. It returns what came of them, and an error if they could not be played: see [Report.Err]
// for whether they ended as they should.
func Play(ctx context.Context, o Options) (*Report, error) {
	say := func(line string) { fmt.Fprintln(o.Log, line) }
	on := machine()
	cluster, err := localcluster.Start(ctx, localcluster.Options{Controllers: localcluster.Controllers(), Heartbeat: o.Heartbeat, Progress: say})
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(cluster.Wait(ctx)) }()
	c, err := prepare(ctx, cluster, o)
	if err != nil {
		return nil, cause(ctx, err)
	}
	report := &Report{Date: time.Now(), Machine: on, Heartbeat: o.Heartbeat, Tolerates: o.Tolerates}
	if report.Versions, err = versions(ctx, cluster); err != nil {
		return nil, err
	}
	for i, d := range o.Drills {
		c.say("drill %d of %d: %s", i+1, len(o.Drills), d.Name)
		outcome := c.play(ctx, d)
		if ctx.Err() != nil {
			return nil, cause(ctx, ctx.Err())
		}
		report.Outcomes = append(report.Outcomes, outcome)
		if outcome.Failed != "" {
			c.say("it failed, and so no more are played: %s", outcome.Failed)
			break
		}
	}
	if report.Err() != nil && o.SchedulerLog != "" {
		if err := os.WriteFile(o.SchedulerLog, []byte(c.replicas.log()), 0o644); err != nil {
			return nil, fmt.Errorf("keeping the scheduler's log: %w", err)
		}
		c.say("the scheduler's log: %s", o.SchedulerLog)
	}
	return report, nil
}

// cause is err, or why ctx ended, of which err then came.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	return err
}

// prepare starts the nodes, Berth and the gangs, and returns once all is settled.
func prepare(ctx context.Context, cluster *localcluster.Cluster, o Options) (*course, error) {
	for i := range zones {
		pool := localcluster.Nodes{Count: nodeCount / zones, RackSize: rackSize, BlockSize: 4, Zone: fmt.Sprintf("local-%d", i+1)}
		if err := cluster.AddNodes(ctx, pool); err != nil {
			return nil, err
		}
	}
	if err := cluster.StartKubelets(ctx); err != nil {
		return nil, err
	}
	for _, render := range []func() ([]*unstructured.Unstructured, error){manifests.BaseWithoutDeployment, manifests.Suspend} {
		objects, err := render()
		if err != nil {
			return nil, err
		}
		if err := cluster.CreateObjects(ctx, objects); err != nil {
			return nil, err
		}
	}
	client := cluster.Client()
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	var names []string
	for i := range nodes.Items {
		names = append(names, nodes.Items[i].Name)
	}
	topologies, err := machines(names)
	if err != nil {
		return nil, err
	}
	if err := cluster.CreateObjects(ctx, topologies); err != nil {
		return nil, err
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating namespace %q: %w", namespace, err)
	}
	c := &course{options: o, cluster: cluster, client: client, sizes: map[string]int{}}
	if c.dynamic, err = dynamic.NewForConfig(cluster.AdminConfig()); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	if c.running, err = localcluster.FindRunning(cluster.Dir()); err != nil {
		return nil, err
	}
	if c.observer, err = observe(ctx, client); err != nil {
		return nil, err
	}
	if c.replicas, err = startBerth(ctx, cluster, c.say); err != nil {
		return nil, err
	}
	c.outcome, c.start = &Outcome{}, time.Now()
	c.say("submitting %d gangs of %d pods", gangs, gangSize)
	for i := range gangs {
		name := fmt.Sprintf("train-%d", i+1)
		if _, err := client.BatchV1().Jobs(namespace).Create(ctx, job(name, gangSize, o.seconds(), ask{}), metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("creating job %q: %w", name, err)
		}
		c.sizes[name] = gangSize
	}
	return c, c.settle(ctx)
}

// startBerth starts the replicas of the scheduler, with their defaults.
func startBerth(ctx context.Context, cluster *localcluster.Cluster, say func(string, ...any)) (*replicas, error) {
	kubeconfig, err := cluster.ServiceAccountKubeconfig(ctx, "berth-system", "berth")
	if err != nil {
		return nil, err
	}
	say("building the scheduler")
	binary, err := localcluster.BuildScheduler(ctx)
	if err != nil {
		return nil, err
	}
	say("starting the scheduler")
	r := &replicas{start: func(name string) (*localcluster.Program, error) {
		return cluster.StartProgram(name, binary, "--kubeconfig="+kubeconfig, "--secure-port=0",
			"--gang-grace-period="+HalfBoundLimit.String(), "-v=2")
	}}
	for range replicaCount {
		if _, err := r.run(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// versions says what was played with.
func versions(ctx context.Context, cluster *localcluster.Cluster) (string, error) {
	kubernetes, err := cluster.Client().Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	berth := "of an unknown commit"
	if root, err := localcluster.Repository(); err == nil && root != "" {
		if out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty").Output(); err == nil {
			berth = strings.TrimSpace(string(out))
		}
	}
	return fmt.Sprintf("Berth %s, Kubernetes %s, %s", berth, kubernetes.GitVersion, runtime.Version()), nil
}

// machine says what was played on.
func machine() string {
	said := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		said += " of " + model
	}
	if memory := strings.Fields(field("/proc/meminfo", "MemTotal")); len(memory) > 0 {
		if kib, err := strconv.ParseInt(memory[0], 10, 64); err == nil {
			said += fmt.Sprintf(", %d GiB", (kib+1<<19)>>20)
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if load := strings.Fields(string(text)); len(load) > 0 {
			said += ", load " + load[0] + " before it began"
		}
	}
	return said
}

// field returns the first value of a key in a file of /proc.
func field(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, key) })
	if i < 0 {
		return ""
	}
	_, value, _ := strings.Cut(lines[i], ":")
	return strings.TrimSpace(value)
}
