package drills

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// foreignRounds are played, each with a gang of Berth's and foreignPods of kube-scheduler's.
	foreignRounds, foreignPods = 8, 6
	// foreignStay is how long they have to run, or to be refused, before they are deleted.
	foreignStay = 3 * time.Second

	kubeScheduler, foreignName = "kube-scheduler", "foreign"
)

// foreign: kube-scheduler places pods of whole nodes on the nodes that Berth places gangs on.
func foreign(ctx context.Context, c *course) error {
	kubeconfig := c.cluster.Dir() + "/" + kubeScheduler + ".kubeconfig"
	if err := c.cluster.WriteKubeconfig(kubeconfig, "system:"+kubeScheduler); err != nil {
		return err
	}
	c.say("building %s", kubeScheduler)
	binary, err := localcluster.BuildKubeScheduler(ctx)
	if err != nil {
		return err
	}
	other, err := c.cluster.StartProgram(kubeScheduler, binary, "--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0")
	if err != nil {
		return err
	}
	defer other.Kill()
	// Its first pod is placed once it is ready.
	if err := c.foreignJob(ctx, foreignName+"-0", 1); err != nil {
		return err
	}
	if err := c.foreignRun(ctx, foreignName+"-0", 1, patience); err != nil {
		return err
	}
	if err := c.withdrawAll(ctx, foreignName+"-0"); err != nil {
		return err
	}
	c.begin()
	_ = c.observer.check(func(l *ledger) { l.conflicts = 0 })
	for round := 1; round <= foreignRounds; round++ {
		theirs, ours := fmt.Sprintf("%s-%d", foreignName, round), fmt.Sprintf("beside-%d", round)
		if err := c.submit(ctx, ours, ask{}); err != nil {
			return err
		}
		if err := c.foreignJob(ctx, theirs, foreignPods); err != nil {
			return err
		}
		if err := c.foreignRun(ctx, theirs, foreignPods, foreignStay); err != nil {
			return err
		}
		conflicts := 0
		_ = c.observer.check(func(l *ledger) { conflicts, l.conflicts = l.conflicts, 0 })
		c.moment("%d nodes were given out by both; the pods of %s are deleted", conflicts, kubeScheduler)
		if err := c.withdraw(ctx, theirs); err != nil {
			return err
		}
		if err := c.untilWhole(ctx); err != nil {
			return err
		}
		if err := c.withdrawAll(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}

// foreignJob makes pods of whole nodes that are not Berth's, and no gang.
func (c *course) foreignJob(ctx context.Context, name string, size int32) error {
	theirs := job(name, size, c.options.seconds(), ask{})
	theirs.Spec.Template.Annotations, theirs.Spec.Template.Spec.SchedulerName = nil, ""
	if _, err := c.client.BatchV1().Jobs(namespace).Create(ctx, theirs, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating job %q: %w", name, err)
	}
	c.moment("%d pods of %s are submitted", size, kubeScheduler)
	return nil
}

// foreignRun waits until pods that are not Berth's run, at most for a while.
func (c *course) foreignRun(ctx context.Context, name string, size int, most time.Duration) error {
	until := time.Now().Add(most)
	return c.await(ctx, "the pods of "+name+" run", func(l *ledger) string {
		if n := len(l.of(name, nil)); n < size && time.Now().Before(until) {
			return fmt.Sprintf("%d of %d run", n, size)
		}
		return ""
	})
}
