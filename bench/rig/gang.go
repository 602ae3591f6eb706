package rig

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// Gang is a pod group and its pods.
type Gang struct {
	Group *schedulingv1beta1.PodGroup
	Pods  []*corev1.Pod
}

// NewGang makes a gang of pods of 8 GPUs that asks for no topology.
func NewGang(name string, size int) Gang {
	group := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name, UID: types.UID(name)},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(size)},
		}},
	}
	pods := make([]*corev1.Pod, size)
	for i := range pods {
		pods[i] = Pod(name+"-"+strconv.Itoa(i), GPUsPerNode)
		pods[i].Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group.Name}
	}
	return Gang{Group: group, Pods: pods}
}

// QueueGang puts a gang into the scheduling queue. The group comes last, and takes all its
// pods with it.
func (r *Rig) QueueGang(g Gang) {
	for _, p := range g.Pods {
		r.Sched.Cache.AddPodGroupMember(p)
	}
	for _, p := range g.Pods {
		r.Sched.SchedulingQueue.Add(r.Ctx, p)
	}
	r.AddGroup(g)
}

// AddGroup makes the group of a gang known.
func (r *Rig) AddGroup(g Gang) {
	r.Sched.Cache.AddPodGroup(g.Group)
	r.Sched.SchedulingQueue.AddPodGroup(klog.Background(), g.Group)
}

// RemoveGroup takes back AddGroup, after the pods are gone.
func (r *Rig) RemoveGroup(g Gang) {
	r.Sched.SchedulingQueue.DeletePodGroup(klog.Background(), g.Group)
	r.Sched.Cache.RemovePodGroup(klog.Background(), g.Group)
}

// SearchTime returns the time that was spent on looking for places for gangs, as the
// scheduler's own metric has it.
func SearchTime() (time.Duration, error) {
	seconds, err := testutil.GetHistogramMetricValue(metrics.PodGroupSchedulingAlgorithmLatency.ObserverMetric)
	if err != nil {
		return 0, fmt.Errorf("reading the metric of gangs: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
