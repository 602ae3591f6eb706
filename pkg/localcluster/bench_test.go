package localcluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// BenchmarkCluster measures, at 2,500 nodes, how long the control plane takes
// to start, the nodes to be added and 3,000 bound pods to be created and to
// run, and what that costs in CPU: of the API server and etcd, and of this
// process, which has the simulated kubelets and the writer of pods in it.
// Run it with -benchtime=1x.
func BenchmarkCluster(b *testing.B) {
	const nodes, pods, writers = 2500, 3000, 16
	for range b.N {
		ctx := b.Context()
		start := time.Now()
		lap := func(unit string) {
			b.ReportMetric(time.Since(start).Seconds(), unit)
			start = time.Now()
		}
		c, err := Start(ctx, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Stop)
		lap("s/start")
		if err := c.AddNodes(ctx, Nodes{Count: nodes}); err != nil {
			b.Fatal(err)
		}
		lap("s/nodes")
		if err := createPods(ctx, c, pods, nodes, writers); err != nil {
			b.Fatal(err)
		}
		lap("s/pods-created")
		before, self := serverCPU(b, c), cpuOf(b, os.Getpid())
		running, err := c.Client().CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.StartKubelets(ctx); err != nil {
			b.Fatal(err)
		}
		for range pods {
			if event := <-running.ResultChan(); event.Type != watch.Added {
				b.Fatalf("watching for running pods: got %v", event)
			}
		}
		b.ReportMetric(pods/time.Since(start).Seconds(), "running/s")
		b.ReportMetric((serverCPU(b, c) - before).Seconds(), "cpu-s/servers")
		b.ReportMetric((cpuOf(b, os.Getpid()) - self).Seconds(), "cpu-s/kubelets")
		c.Stop()
	}
}

// createPods creates pods that are bound to the nodes in turn.
func createPods(ctx context.Context, c *Cluster, pods, nodes, writers int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range pods {
		group.Go(func() error {
			pod := newPod(fmt.Sprintf("pod-%d", i), fmt.Sprintf("node-%05d", i%nodes+1))
			_, err := c.Client().CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}

// newPod is a pod of one GPU, bound to a node.
func newPod(name, node string) *v1.Pod {
	gpus := v1.ResourceList{GPUResource: Machines()[0].capacity()[v1.ResourcePods]}
	gpus[GPUResource] = *quantity(1)
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1.PodSpec{
			NodeName:      node,
			RestartPolicy: v1.RestartPolicyNever,
			Containers:    []v1.Container{{Name: "train", Image: "example.com/train", Resources: v1.ResourceRequirements{Requests: gpus, Limits: gpus}}},
		},
	}
}

func serverCPU(b *testing.B, c *Cluster) time.Duration {
	var sum time.Duration
	for _, p := range c.running {
		sum += cpuOf(b, p.cmd.Process.Pid)
	}
	return sum
}

// cpuOf is the user and system time that a process has used so far.
func cpuOf(b *testing.B, pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("reading CPU time: %v", err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux
	return time.Duration(user+system) * time.Second / ticksPerSecond
}
