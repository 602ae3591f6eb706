package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	// writers is how many pods are being created at a time.
	writers = 16
	// createTimeout is how long one creation may take.
	createTimeout = 30 * time.Second
)

// A submitter creates the pods of a workload.
type submitter struct {
	count atomic.Int64
	done  sync.WaitGroup
	// created is when each creation was answered, by place in the order of creation.
	// A writer writes its own; all are there once done.
	created []time.Time
}

// submit starts to create pods of a workload in an order, and returns at once.
// It calls fail, which is to end ctx, with a creation that is refused.
func submit(ctx context.Context, client kubernetes.Interface, w Workload, order []PodRef, fail context.CancelCauseFunc) *submitter {
	s := &submitter{created: make([]time.Time, len(order))}
	pods := client.CoreV1().Pods(namespace)
	var next atomic.Int64
	for range writers {
		s.done.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(order) || ctx.Err() != nil {
					return
				}
				pod := w.Submissions[order[i].Submission].Pod(order[i].Index)
				if err := create(ctx, pods, pod); err != nil {
					fail(fmt.Errorf("creating pod %q: %w", pod.Name, err))
					return
				}
				s.created[i] = time.Now()
				s.count.Add(1)
			}
		})
	}
	return s
}

// create creates a pod, and sees it through when ctx ends meanwhile: a request that
// is broken off may have created the pod or not.
func create(ctx context.Context, pods corev1.PodInterface, pod *v1.Pod) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	return err
}

// createAnew creates pods anew that were evicted, as the controllers of their jobs would,
// until ctx ends.
func createAnew(ctx context.Context, client kubernetes.Interface, o *observer, fail context.CancelCauseFunc) {
	pods := client.CoreV1().Pods(namespace)
	context.AfterFunc(ctx, o.gone.ShutDown)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for {
				place, over := o.gone.Get()
				if over {
					return
				}
				ref := o.refs[place]
				pod := o.workload.Submissions[ref.Submission].Pod(ref.Index)
				if err := create(ctx, pods, pod); err != nil {
					fail(fmt.Errorf("creating pod %q anew: %w", pod.Name, err))
				}
				o.gone.Done(place)
			}
		})
	}
	all.Wait()
}

// wait returns when the creation of each pod was answered; zero for those that
// were not created before the context of submit ended.
func (s *submitter) wait() []time.Time {
	s.done.Wait()
	return s.created
}
