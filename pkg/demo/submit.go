package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// writers is how many objects are written at a time.
	writers = 16
	// createTimeout is how long one creation may take.
	createTimeout = 30 * time.Second
)

// A submitter creates the Jobs and Deployments of a workload.
type submitter struct {
	total int
	count atomic.Int64
	done  sync.WaitGroup
}

// submit starts to create what is submitted, in an order, and returns at once. It calls
// fail, which is to end ctx, with a creation that is refused.
func submit(ctx context.Context, client kubernetes.Interface, w Workload, order []int, fail context.CancelCauseFunc) *submitter {
	s := &submitter{total: len(order)}
	var next atomic.Int64
	for range writers {
		s.done.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(order) || ctx.Err() != nil {
					return
				}
				if err := create(ctx, client, w.Submissions[order[i]]); err != nil {
					fail(err)
					return
				}
				s.count.Add(1)
			}
		})
	}
	return s
}

// create creates a Job or a Deployment, and sees it through when ctx ends meanwhile: a
// request that is broken off may have created it or not.
func create(ctx context.Context, client kubernetes.Interface, s Submission) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	if s.RunsOn() {
		if _, err := client.AppsV1().Deployments(namespace).Create(ctx, s.Deployment(), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating deployment %q: %w", s.Name, err)
		}
		return nil
	}
	if _, err := client.BatchV1().Jobs(namespace).Create(ctx, s.Job(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating job %q: %w", s.Name, err)
	}
	return nil
}
