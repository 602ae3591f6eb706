package chaos

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
)

var (
	berthFlag    = flag.String("chaos.berth", "", "binary of the scheduler; built if it is not said")
	seedFlag     = flag.Uint64("chaos.seed", 0, "seed of the first round; 0 for another one each time")
	durationFlag = flag.Duration("chaos.duration", 15*time.Second, "how long TestChaos goes on")
	roundsFlag   = flag.Int("chaos.rounds", 1, "how many rounds TestLostAnswers plays")
	nodesFlag    = flag.Int("chaos.nodes", 24, "how many nodes of 8 GPUs there are; the pods of a round grow with them")
)

const (
	nodeGPUs  = 8
	namespace = "default"
	// halfBound and silent are what Check goes by: more than the faults of a round last.
	halfBound = 30 * time.Second
	silent    = 45 * time.Second
	// roundPatience is how long the pods of a round may take to run.
	roundPatience = 3 * time.Minute
)

// clusterGPUs is how many GPUs the cluster has.
func clusterGPUs() int { return *nodesFlag * nodeGPUs }

// environment is a control plane with replicas of Berth behind a proxy.
type environment struct {
	*localcluster.Cluster
	proxy      *Proxy
	recorder   *Recorder
	binary     string
	kubeconfig string

	mu       sync.Mutex
	replicas []*localcluster.Program
	started  int
	logs     []string
	stopped  bool
	// restarted is set once the API server was: until it has read its roles, it forbids all.
	restarted bool
}

// start starts all of it, for one test.
func start(t *testing.T, seed uint64, replicas int) *environment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	e := &environment{binary: *berthFlag}
	if e.binary == "" {
		e.binary = filepath.Join(t.TempDir(), "berth")
		build := exec.Command("go", "build", "-o", e.binary, "github.com/berth-dev/berth/cmd/berth")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building the scheduler: %v\n%s", err, output)
		}
	}
	check := func(doing string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", doing, err)
		}
	}
	var err error
	e.Cluster, err = localcluster.Start(ctx, localcluster.Options{})
	check("starting the control plane", err)
	t.Cleanup(e.Cluster.Stop)
	check("adding nodes", e.AddNodes(ctx, localcluster.Nodes{Count: *nodesFlag, RackSize: 8}))
	check("starting the kubelets", e.StartKubelets(ctx))
	objects, err := manifests.BaseWithoutDeployment()
	check("reading the manifests", err)
	check("applying the manifests", e.CreateObjects(ctx, objects))
	e.proxy, err = NewProxy(e.AdminConfig(), seed)
	check("starting the proxy", err)
	t.Cleanup(e.proxy.Close)
	e.kubeconfig, err = e.behindProxy(ctx)
	check("writing the kubeconfig", err)
	e.recorder, err = RecordPods(t.Context(), e.Client(), namespace)
	check("recording", err)
	t.Cleanup(func() { e.checkLogs(t) })
	t.Cleanup(e.stopReplicas)
	for range replicas {
		check("starting the scheduler", e.startReplica(replicas > 1))
	}
	return e
}

// behindProxy writes a kubeconfig of the scheduler's account that goes by the proxy.
func (e *environment) behindProxy(ctx context.Context) (string, error) {
	path, err := e.ServiceAccountKubeconfig(ctx, "berth-system", "berth")
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", err
	}
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthorityData = e.proxy.URL(), e.proxy.CA()
	}
	path = filepath.Join(e.Dir(), "proxy.kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}

// startReplica starts a scheduler. One that ends is started again, as its Deployment does.
func (e *environment) startReplica(elected bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return nil
	}
	e.started++
	args := []string{"--kubeconfig=" + e.kubeconfig, "--secure-port=0", "-v=2", "--gang-grace-period=60s", fmt.Sprintf("--leader-elect=%t", elected)}
	if elected {
		args = append(args, "--leader-elect-lease-duration=4s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms")
	}
	program, err := e.StartProgram(fmt.Sprintf("berth-%d", e.started), e.binary, args...)
	if err != nil {
		return err
	}
	e.replicas = append(e.replicas, program)
	e.logs = append(e.logs, program.LogPath())
	go func() {
		<-program.Exited()
		e.mu.Lock()
		e.replicas = slices.DeleteFunc(e.replicas, func(p *localcluster.Program) bool { return p == program })
		e.mu.Unlock()
		_ = e.startReplica(elected)
	}()
	return nil
}

func (e *environment) stopReplicas() {
	e.mu.Lock()
	e.stopped = true
	running := slices.Clone(e.replicas)
	e.mu.Unlock()
	for _, p := range running {
		p.Kill()
	}
}

// leader returns the replica that leads, nil if none does. One that loses its lease ends.
func (e *environment) leader() *localcluster.Program {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.replicas {
		if log, err := os.ReadFile(p.LogPath()); err == nil && strings.Contains(string(log), "Successfully acquired lease") {
			return p
		}
	}
	return nil
}

// checkLogs fails the test if a scheduler panicked or lacked a right.
func (e *environment) checkLogs(t *testing.T) {
	t.Helper()
	for _, path := range e.logs {
		file, err := os.Open(path)
		if err != nil {
			t.Errorf("reading a log: %v", err)
			continue
		}
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			if line := strings.ToLower(scanner.Text()); strings.Contains(line, "panic") || strings.Contains(line, "forbidden") && !e.restarted {
				t.Errorf("%s says: %s", filepath.Base(path), scanner.Text())
			}
		}
		file.Close()
	}
	if keep := os.Getenv("BERTH_CHAOS_LOGS"); keep != "" && t.Failed() {
		for _, path := range e.logs {
			if data, err := os.ReadFile(path); err == nil {
				_ = os.WriteFile(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "-")+"-"+filepath.Base(path)), data, 0o644)
			}
		}
	}
}

// workload makes the gangs of a round: more than the cluster holds at a time, of pods that
// run for a moment.
func workload(prefix string, random *rand.Rand) []*corev1.Pod {
	return gangs(prefix+"g", 2*clusterGPUs(), 500*time.Millisecond, 1500*time.Millisecond, random)
}

// gangs makes gangs that ask for so many GPUs or a few more. Their names are the prefix and a
// number, and the pods of each run for least, and for a part of spread.
func gangs(prefix string, gpus int, least, spread time.Duration, random *rand.Rand) []*corev1.Pod {
	var pods []*corev1.Pod
	for gang, asked := 0, 0; asked < gpus; gang++ {
		size, each := 1+random.IntN(16), 1<<random.IntN(4)
		asked += size * each
		runs := (least + time.Duration(random.IntN(int(spread/time.Millisecond)))*time.Millisecond).String()
		for i := range size {
			pods = append(pods, member(fmt.Sprint(prefix, gang), i, size, int64(each), runs))
		}
	}
	return pods
}

func member(gang string, i, size int, gpus int64, runs string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", gang, i), Labels: map[string]string{"berth.dev/gang": gang},
			Annotations: map[string]string{"berth.dev/gang-size": fmt.Sprint(size), localcluster.RunForAnnotation: runs},
		},
		Spec: corev1.PodSpec{
			SchedulerName: "berth", RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "main", Image: "none", Resources: corev1.ResourceRequirements{
				Limits: corev1.ResourceList{localcluster.GPUResource: *resource.NewQuantity(gpus, resource.DecimalSI)},
			}}},
		},
	}
}

// create creates pods; what the API server does not take for the moment it is offered again.
func (e *environment) create(ctx context.Context, pods []*corev1.Pod) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, p := range pods {
		group.Go(func() error {
			for {
				_, err := e.Client().CoreV1().Pods(namespace).Create(ctx, p, metav1.CreateOptions{})
				if err == nil || strings.Contains(err.Error(), "already exists") {
					return nil
				}
				select {
				case <-ctx.Done():
					return err
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	return group.Wait()
}

// await waits until so many pods of a prefix are as asked, and reports whether they are.
func (e *environment) await(ctx context.Context, prefix string, n int, done func(Record) bool) bool {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		count := 0
		for _, r := range e.recorder.Latest(prefix) {
			if done(r) {
				count++
			}
		}
		if count >= n {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// round is the outcome of one round.
type round struct {
	pods int
	took time.Duration
	// recovery is how long after the faults ended the last pod was bound.
	recovery time.Duration
	// evicted is how many pods were evicted.
	evicted int
	broken  []Violation
}

// play plays one round: gangs, faults while they are placed, and the judgement once all
// have run or had time to. Rounds of some seeds have queues.
func (e *environment) play(t *testing.T, prefix string, seed uint64, faults func(ctx context.Context, bound func() int)) round {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	if hasQueues(seed) {
		first, second := queuedWorkload(prefix, random)
		return e.playPods(t, prefix, seed, first, second, faults)
	}
	return e.playPods(t, prefix, seed, workload(prefix, random), nil, faults)
}

// playPods plays a round of these pods. If there are any that come second, when the first
// hold the cluster, there are queues.
func (e *environment) playPods(t *testing.T, prefix string, seed uint64, first, second []*corev1.Pod, faults func(ctx context.Context, bound func() int)) round {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), roundPatience)
	defer cancel()
	queued := len(second) > 0
	if err := e.setQueues(ctx, queued); err != nil {
		t.Fatalf("setting queues: %v", err)
	}
	pods := slices.Concat(first, second)
	begin := time.Now()
	var work errgroup.Group
	bound := func() int {
		n := 0
		for _, r := range e.recorder.Latest(prefix) {
			if r.Node != "" {
				n++
			}
		}
		return n
	}
	work.Go(func() error {
		err := e.create(ctx, first)
		if err == nil && queued {
			e.until(ctx, 10*time.Second, func() bool { return bound() > clusterGPUs()/8 })
			err = e.create(ctx, second)
		}
		return err
	})
	var owners sync.WaitGroup
	ended := func(r Record) bool { return r.Ended() }
	if queued {
		owners.Go(func() { e.remake(ctx, prefix, pods) })
		ended = func(r Record) bool { return r.Phase == corev1.PodSucceeded }
	}
	faults(ctx, bound)
	over := time.Now()
	if err := work.Wait(); err != nil {
		t.Fatalf("creating pods: %v", err)
	}
	e.await(ctx, prefix, len(pods), ended)
	cancel()
	owners.Wait()
	out := round{pods: len(pods), took: time.Since(begin)}
	history := e.recorder.Take()
	out.evicted = evictions(history)
	var last time.Time
	seen := map[types.UID]bool{}
	for _, r := range history {
		if r.Node != "" && !seen[r.UID] {
			seen[r.UID] = true
			if r.At.After(last) {
				last = r.At
			}
		}
	}
	out.recovery = max(0, last.Sub(over))
	limits := Limits{GPUs: map[string]int64{}, Queues: queueLimits(), HalfBound: halfBound, Silent: silent}
	for i := range *nodesFlag {
		limits.GPUs[fmt.Sprintf("node-%05d", i+1)] = nodeGPUs
	}
	out.broken = Check(history, limits)
	if len(out.broken) > 0 {
		t.Logf("seed %d: %d rules were broken, first %s: %s", seed, len(out.broken), out.broken[0].Rule, out.broken[0].Text)
		if logs := os.Getenv("BERTH_CHAOS_LOGS"); logs != "" {
			path := filepath.Join(logs, fmt.Sprintf("history-%s%d.json", prefix, seed))
			if err := Write(path, history); err == nil {
				t.Logf("the history is in %s", path)
			}
		}
	}
	e.empty(t)
	return out
}

// empty deletes all pods and waits until they are gone.
func (e *environment) empty(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	now := int64(0)
	for {
		_ = e.Client().CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
		left, err := e.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil && len(left.Items) == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("pods are left: %v", err)
		}
	}
	e.await(ctx, "", 0, func(Record) bool { return true })
	e.recorder.Take()
}

// tell fails the test with what a round broke, by rule.
func (r round) tell(t *testing.T, name string, seed uint64) {
	t.Helper()
	if len(r.broken) == 0 {
		return
	}
	counts := map[string]int{}
	for _, v := range r.broken {
		counts[v.Rule]++
	}
	t.Errorf("%s, seed %d: %v", name, seed, counts)
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		for _, v := range r.broken {
			if v.Rule == rule {
				t.Logf("  %s: %s", v.Rule, v.Text)
				break
			}
		}
	}
}

// quantile returns the value below which a fraction of them lie.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(time.Millisecond)
}
