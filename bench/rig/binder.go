package rig

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

const noBindName = "NoBind"

// bindNothing puts NoBind into the place of whatever binds.
func bindNothing(profile *schedulerconfig.KubeSchedulerProfile) {
	profile.Plugins.Bind = schedulerconfig.PluginSet{
		Enabled:  []schedulerconfig.Plugin{{Name: noBindName}},
		Disabled: []schedulerconfig.Plugin{{Name: "*"}},
	}
}

// Binding is what a Bind plugin is asked for.
type Binding struct {
	Pod  *corev1.Pod
	Node string
}

// noBind is a Bind plugin that does nothing, and keeps what it would have bound. Its
// pods stay assumed.
type noBind struct {
	mu    sync.Mutex
	more  *sync.Cond
	bound []Binding
}

var _ fwk.BindPlugin = &noBind{}

func newNoBind() *noBind {
	b := &noBind{}
	b.more = sync.NewCond(&b.mu)
	return b
}

func (*noBind) Name() string { return noBindName }

func (b *noBind) Bind(_ context.Context, _ fwk.CycleState, p *corev1.Pod, node string) *fwk.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = append(b.bound, Binding{p, node})
	b.more.Signal()
	return nil
}

// wait waits until n pods were bound since the last call, and returns them.
func (b *noBind) wait(n int) []Binding {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.bound) < n {
		b.more.Wait()
	}
	out := b.bound
	b.bound = make([]Binding, 0, cap(out))
	return out
}
