package localcluster

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// inPhase is a pod that was admitted a minute before noon, unless it is pending.
func inPhase(phase v1.PodPhase, edits ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}},
		Spec:       v1.PodSpec{RestartPolicy: v1.RestartPolicyNever, Containers: []v1.Container{{Name: "main"}}},
		Status:     v1.PodStatus{Phase: phase},
	}
	if phase != v1.PodPending {
		p.Status.StartTime = &metav1.Time{Time: noon.Add(-time.Minute)}
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func says(key, value string) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Annotations[key] = value }
}

// leaves says that the pod was deleted so long before noon, with a grace period.
func leaves(ago time.Duration, grace int64) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.DeletionTimestamp = &metav1.Time{Time: noon.Add(-ago + time.Duration(grace)*time.Second)}
		p.DeletionGracePeriodSeconds = &grace
	}
}

func restarts(policy v1.RestartPolicy, count int32) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.RestartPolicy = policy
		p.Status.ContainerStatuses = []v1.ContainerStatus{{RestartCount: count}}
	}
}

// Each case stands for what the real kubelet does.
func TestStep(t *testing.T) {
	unready := func(p *v1.Pod) { p.Status.Conditions = nil }
	started := func(p *v1.Pod) { p.Status.StartTime = &metav1.Time{Time: noon} }
	deadline := func(seconds int64) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.ActiveDeadlineSeconds = &seconds }
	}
	killed := action{step: stepEnd, phase: v1.PodFailed, code: killedCode}
	for name, c := range map[string]struct {
		pod *v1.Pod
		// since is how long ago its containers started.
		since time.Duration
		// rebooted is when its machine was.
		rebooted time.Time
		want     action
	}{
		"its machine was rebooted: Never fails":                    {pod: inPhase(v1.PodRunning), since: time.Minute, rebooted: noon.Add(-time.Second), want: action{step: stepEnd, phase: v1.PodFailed, code: lostCode}},
		"its machine was rebooted: Always starts anew":             {pod: inPhase(v1.PodRunning, restarts(v1.RestartPolicyAlways, 3)), since: time.Minute, rebooted: noon.Add(-time.Second), want: action{step: stepRestart, code: lostCode}},
		"its machine was rebooted before it started":               {pod: inPhase(v1.PodRunning), since: time.Second, rebooted: noon.Add(-time.Second)},
		"its machine was rebooted: what is deleted leaves":         {pod: inPhase(v1.PodRunning, leaves(0, 30)), since: time.Minute, rebooted: noon.Add(-time.Second), want: killed},
		"a bound pod is admitted first":                            {pod: inPhase(v1.PodPending), want: action{step: stepAdmit}},
		"a pod that runs goes on for ever":                         {pod: inPhase(v1.PodRunning), since: time.Hour},
		"what has ended stays as it is":                            {pod: inPhase(v1.PodSucceeded, says(RunForAnnotation, "1m")), since: time.Hour},
		"what has failed stays as it is":                           {pod: inPhase(v1.PodFailed, says(RunForAnnotation, "soon"))},
		"what cannot be read fails":                                {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "-1s")), want: action{step: stepEnd, phase: v1.PodFailed, reason: "InvalidBehavior", message: `annotation berth.dev/simulate-run-for is "-1s" and not a duration such as 90s: it is negative`, code: 1}},
		"containers that run for a while":                          {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "1m")), since: 20 * time.Second, want: action{step: stepWait, after: 40 * time.Second}},
		"Never: an exit of 0 is success":                           {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "1m")), since: time.Minute, want: action{step: stepEnd, phase: v1.PodSucceeded}},
		"Never: any other exit is failure":                         {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), says(ExitCodeAnnotation, "3")), want: action{step: stepEnd, phase: v1.PodFailed, code: 3}},
		"OnFailure: an exit of 0 is success":                       {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), restarts(v1.RestartPolicyOnFailure, 0)), want: action{step: stepEnd, phase: v1.PodSucceeded}},
		"OnFailure: any other exit starts anew":                    {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), says(ExitCodeAnnotation, "1"), restarts(v1.RestartPolicyOnFailure, 0)), want: action{step: stepRestart, code: 1}},
		"Always: an exit of 0 starts anew":                         {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), restarts(v1.RestartPolicyAlways, 0)), want: action{step: stepRestart}},
		"the second restart waits ten seconds":                     {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), restarts(v1.RestartPolicyAlways, 1)), since: 4 * time.Second, want: action{step: stepWait, after: 6 * time.Second}},
		"and each further one twice as long":                       {pod: inPhase(v1.PodRunning, says(RunForAnnotation, "0s"), restarts(v1.RestartPolicyAlways, 3)), since: 4 * time.Second, want: action{step: stepWait, after: 36 * time.Second}},
		"activeDeadlineSeconds ends it":                            {pod: inPhase(v1.PodRunning, deadline(60)), want: action{step: stepEnd, phase: v1.PodFailed, reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline", code: killedCode}},
		"activeDeadlineSeconds is waited for":                      {pod: inPhase(v1.PodRunning, deadline(90), says(RunForAnnotation, "1h")), want: action{step: stepWait, after: 30 * time.Second}},
		"it becomes ready":                                         {pod: inPhase(v1.PodRunning, unready, says(ReadyAfterAnnotation, "5s")), since: 5 * time.Second, want: action{step: stepReady}},
		"it is not ready yet":                                      {pod: inPhase(v1.PodRunning, unready, says(ReadyAfterAnnotation, "5s")), since: time.Second, want: action{step: stepWait, after: 4 * time.Second}},
		"an init container runs":                                   {pod: inPhase(v1.PodPending, started, says(InitForAnnotation, "5s")), since: time.Second, want: action{step: stepWait, after: 4 * time.Second}},
		"an init container has ended":                              {pod: inPhase(v1.PodPending, started, says(InitForAnnotation, "5s")), since: 5 * time.Second, want: action{step: stepInit}},
		"deleted before it ran: it gets a terminal phase":          {pod: inPhase(v1.PodPending, leaves(0, 30)), want: killed},
		"deleted while it ran: so it does":                         {pod: inPhase(v1.PodRunning, leaves(0, 30)), want: killed},
		"deleted: it takes its time to end":                        {pod: inPhase(v1.PodRunning, leaves(4*time.Second, 30), says(ExitAfterAnnotation, "10s")), want: action{step: stepWait, after: 6 * time.Second}},
		"deleted: its grace period ends it":                        {pod: inPhase(v1.PodRunning, leaves(30*time.Second, 30), says(ExitAfterAnnotation, "1h")), want: killed},
		"deleted and ended: it goes":                               {pod: inPhase(v1.PodFailed, leaves(time.Second, 30)), want: action{step: stepRemove}},
		"deletion is confirmed, and a finalizer holds it":          {pod: inPhase(v1.PodFailed, leaves(time.Second, 0))},
		"deleted by force while a finalizer holds it: it ends":     {pod: inPhase(v1.PodRunning, leaves(time.Second, 0)), want: killed},
		"deleted: what its annotations say cannot keep it":         {pod: inPhase(v1.PodRunning, leaves(0, 30), says(RunForAnnotation, "soon")), want: killed},
		"a pod that has ended and is deleted keeps what it became": {pod: inPhase(v1.PodSucceeded, leaves(0, 30)), want: action{step: stepRemove}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := step(c.pod, noon.Add(-c.since), c.rebooted, noon); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A pod with two init containers, of which the second is a sidecar, starts one after
// another; what it reports keeps the conditions of others.
func TestReports(t *testing.T) {
	now := metav1.NewTime(noon)
	always := v1.ContainerRestartPolicyAlways
	pod := inPhase(v1.PodPending)
	pod.Spec.InitContainers = []v1.Container{{Name: "fetch"}, {Name: "proxy", RestartPolicy: &always}}
	pod.Spec.Containers = []v1.Container{{Name: "a"}, {Name: "b"}}
	pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionTrue}}

	setStarted(pod, now, true)
	if pod.Status.Phase != v1.PodPending || len(pod.Status.InitContainerStatuses) != 1 || pod.Status.InitContainerStatuses[0].State.Running == nil || len(pod.Status.ContainerStatuses) != 0 {
		t.Fatalf("the first init container does not run alone: %+v", pod.Status)
	}
	startNext(pod, now, false)
	if pod.Status.Phase != v1.PodRunning || len(pod.Status.InitContainerStatuses) != 2 || pod.Status.InitContainerStatuses[0].State.Terminated == nil || pod.Status.InitContainerStatuses[1].State.Running == nil || isReady(pod) {
		t.Fatalf("the containers do not run beside the sidecar: %+v", pod.Status)
	}
	setReady(pod, true, now)
	if !isReady(pod) || !pod.Status.ContainerStatuses[1].Ready {
		t.Errorf("the pod is not ready: %+v", pod.Status)
	}
	setRestarted(pod, 1, now, true)
	if s := pod.Status.ContainerStatuses[0]; s.RestartCount != 1 || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 1 || s.State.Running == nil {
		t.Errorf("the container was not restarted: %+v", s)
	}
	setEnded(pod, action{phase: v1.PodFailed, code: 3}, now)
	if len(pod.Status.Conditions) != 4 || pod.Status.Conditions[0].Type != v1.PodScheduled || isReady(pod) {
		t.Errorf("conditions are %v, want PodScheduled and three more, not ready", pod.Status.Conditions)
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated == nil || s.State.Terminated.ExitCode != 3 || s.State.Running != nil || s.Ready || s.RestartCount != 1 {
			t.Errorf("container status %+v is not that of a container that ended", s)
		}
	}
}

// A kubelet takes what fits beside the pods that it has, and says why it does not take
// the rest in the words of the real one.
func TestAdmit(t *testing.T) {
	amounts := func(cpu, gpus, pods string) v1.ResourceList {
		return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), GPUResource: resource.MustParse(gpus), v1.ResourcePods: resource.MustParse(pods)}
	}
	asks := func(name v1.ResourceName, amount string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.Containers[0].Resources.Requests = v1.ResourceList{name: resource.MustParse(amount)}
		}
	}
	tainted := func(effect v1.TaintEffect) func(*v1.Node) {
		return func(n *v1.Node) { n.Spec.Taints = []v1.Taint{{Key: "sick", Effect: effect}} }
	}
	other := inPhase(v1.PodRunning, asks(GPUResource, "6"))
	for name, c := range map[string]struct {
		pod  *v1.Pod
		node func(*v1.Node)
		want string
	}{
		"what fits":                            {pod: inPhase(v1.PodPending, asks(GPUResource, "2"))},
		"another scheduler was faster":         {pod: inPhase(v1.PodPending, asks(GPUResource, "3")), want: "OutOfnvidia.com/gpu"},
		"a GPU fell ill":                       {pod: inPhase(v1.PodPending, asks(GPUResource, "2")), node: func(n *v1.Node) { n.Status.Allocatable = amounts("4", "7", "10") }, want: "OutOfnvidia.com/gpu"},
		"CPU":                                  {pod: inPhase(v1.PodPending, asks(v1.ResourceCPU, "5")), want: "OutOfcpu"},
		"too many pods":                        {pod: inPhase(v1.PodPending), node: func(n *v1.Node) { n.Status.Allocatable = amounts("4", "8", "1") }, want: "OutOfpods"},
		"a resource that the node lacks":       {pod: inPhase(v1.PodPending, asks("example.com/license", "1"))},
		"another node was meant":               {pod: inPhase(v1.PodPending, func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "fast"} }), want: "NodeAffinity"},
		"a taint of effect NoExecute":          {pod: inPhase(v1.PodPending), node: tainted(v1.TaintEffectNoExecute), want: "TaintToleration"},
		"NoSchedule is the scheduler's matter": {pod: inPhase(v1.PodPending), node: tainted(v1.TaintEffectNoSchedule)},
	} {
		t.Run(name, func(t *testing.T) {
			node := &v1.Node{Status: v1.NodeStatus{Allocatable: amounts("4", "8", "10")}}
			if c.node != nil {
				c.node(node)
			}
			why, taken := admit(c.pod, node, []*v1.Pod{other})
			if taken != (c.want == "") || why.reason != c.want || !taken && why.message == "" {
				t.Errorf("taken %v, %+v; want %q", taken, why, c.want)
			}
		})
	}
}
