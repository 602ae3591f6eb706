package demo

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/localcluster"
)

// readyTimeout is how long the scheduler may take to schedule its first pod.
const readyTimeout = 2 * time.Minute

// prepare brings an empty control plane to where the clock can start.
func (s *Session) prepare(ctx context.Context) error {
	s.say("adding %d nodes of %d GPUs", s.options.Nodes, nodeGPUs)
	if err := s.cluster.AddNodes(ctx, localcluster.Nodes{Count: s.options.Nodes}); err != nil {
		return err
	}
	if err := s.cluster.StartKubelets(ctx); err != nil {
		return err
	}
	if err := s.applyManifests(ctx); err != nil {
		return err
	}
	if err := s.makeNamespace(ctx); err != nil {
		return err
	}
	if err := s.makeQueues(ctx); err != nil {
		return err
	}
	kubeconfig, err := s.cluster.ServiceAccountKubeconfig(ctx, accountNamespace, accountName)
	if err != nil {
		return err
	}
	s.say("building the scheduler")
	binary, err := localcluster.BuildScheduler(ctx)
	if err != nil {
		return err
	}
	s.say("starting the scheduler")
	s.scheduler, err = s.cluster.StartProgram("berth", binary,
		"--kubeconfig="+kubeconfig, "--secure-port=0", "--leader-elect=false", "-v=1")
	if err != nil {
		return err
	}
	if err := s.warmUp(ctx); err != nil {
		return err
	}
	if s.writesBefore, err = s.cluster.Writes(ctx, schedulerUser); err != nil {
		return fmt.Errorf("counting the scheduler's writes: %w", err)
	}
	return nil
}

// applyManifests gives the scheduler its account and its rights.
func (s *Session) applyManifests(ctx context.Context) error {
	objects, err := manifests.BaseWithoutDeployment()
	if err != nil {
		return err
	}
	return s.cluster.CreateObjects(ctx, objects)
}

// makeNamespace makes the workload's namespace, and waits until pods can be
// created in it.
func (s *Session) makeNamespace(ctx context.Context) error {
	core := s.cluster.Client().CoreV1()
	_, err := core.Namespaces().Create(ctx, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating namespace %q: %w", namespace, err)
	}
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := core.ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the service account of namespace %q: %w", namespace, err)
	}
	return nil
}

// warmUp has a Job make one pod and the scheduler bind it, and deletes both. So the clock
// does not run while the controllers and the scheduler start.
func (s *Session) warmUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no pod of a job was bound, or it did not go, within %s", readyTimeout))
	defer cancel()
	client := s.cluster.Client()
	job := (Submission{Name: "warm-up", Size: 1, Late: true}).Job()
	if _, err := client.BatchV1().Jobs(namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating job %q: %w", job.Name, err)
	}
	pods := func(ctx context.Context) ([]v1.Pod, error) {
		select {
		case <-s.scheduler.Exited():
			return nil, s.scheduler.Failure()
		default:
		}
		list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: submissionLabel + "=" + job.Name})
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	}
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, false, func(ctx context.Context) (bool, error) {
		made, err := pods(ctx)
		return len(made) > 0 && made[0].Spec.NodeName != "", err
	})
	if err == nil {
		background := metav1.DeletePropagationBackground
		err = client.BatchV1().Jobs(namespace).Delete(ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	}
	if err == nil {
		err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, false, func(ctx context.Context) (bool, error) {
			left, err := pods(ctx)
			return len(left) == 0, err
		})
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("waiting for the controllers and the scheduler: %w", err)
	}
	return nil
}
