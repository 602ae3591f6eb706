package engine

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/profile"

	"github.com/berth-dev/berth/pkg/state/queueing"
)

// Embedded is the engine without its command, for a program that makes a scheduler of its
// own and drives it, as benchmarks do: there is no election, and nothing is served. It has
// to be attached to what scheduler.New makes of its client, informers, profile and plugins.
type Embedded struct {
	engine   *engine
	profile  schedulerconfig.KubeSchedulerProfile
	recorder events.EventRecorderLogger
}

// Embed makes the engine for one profile, which it puts its plugins into.
func Embed(clients Clients, profile *schedulerconfig.KubeSchedulerProfile, recorder events.EventRecorderLogger, options *Options) (*Embedded, error) {
	profiles := []schedulerconfig.KubeSchedulerProfile{*profile.DeepCopy()}
	e, err := build(clients, profiles, recorder, nil, options)
	if err != nil {
		return nil, fmt.Errorf("making the engine of profile %q: %w", profile.SchedulerName, err)
	}
	return &Embedded{engine: e, profile: profiles[0], recorder: recorder}, nil
}

// Client returns the client that the scheduler is to have.
func (e *Embedded) Client() kubernetes.Interface { return e.engine.client }

// Informers returns the informers that the scheduler is to have. Whoever does not start them
// tells SetPod and DeletePod of pods.
func (e *Embedded) Informers() informers.SharedInformerFactory { return e.engine.informers }

// Profile returns the profile with the plugins of the engine, and Plugins makes those.
func (e *Embedded) Profile() *schedulerconfig.KubeSchedulerProfile { return e.profile.DeepCopy() }
func (e *Embedded) Plugins() frameworkruntime.Registry             { return e.engine.plugins() }

// Recorders returns what makes the recorders of the scheduler.
func (e *Embedded) Recorders() profile.RecorderFactory {
	return func(string) events.EventRecorderLogger { return e.engine.budget.Recorder(e.recorder) }
}

// Attach attaches the engine to the scheduler that was made, and runs it until the context is
// done. Like that of a command, it opens the queues when the first entity is asked for.
func (e *Embedded) Attach(ctx context.Context, sched *scheduler.Scheduler) error {
	if err := e.engine.attach(ctx, sched); err != nil {
		return err
	}
	e.engine.start(ctx)
	return nil
}

// Queues returns who pays, and who waits.
func (e *Embedded) Queues() *queueing.Queues { return e.engine.queues }

// SetPod takes in a pod that the scheduler has taken in, and DeletePod forgets one.
func (e *Embedded) SetPod(pod *corev1.Pod)    { e.engine.SetPod(pod) }
func (e *Embedded) DeletePod(pod *corev1.Pod) { e.engine.DeletePod(pod) }
