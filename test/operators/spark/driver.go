package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// wantedAnnotation, on the pod of a driver with dynamic allocation, is how many executors have
// work.
const wantedAnnotation = "berth.dev/simulate-executors"

// every is how often a driver looks whether it lacks executors, and batchSize how many it makes
// at a time: the defaults of spark.kubernetes.allocation.batch.{delay,size}.
const (
	every     = time.Second
	batchSize = 10
)

// A change is one of a pod.
type change struct {
	pod  *corev1.Pod
	gone bool
}

// A driver is the process in a driver's pod.
type driver struct {
	conf        conf
	application string
	template    []byte
	// last is the id of the last executor. unseen are those that were made, and of which no
	// change has been told yet.
	last   int
	unseen map[string]bool
	// stopped says that it was told to end, and has.
	stopped bool
}

// drivers are all of them, by the pods.
type drivers struct {
	client  kubernetes.Interface
	store   cache.Store
	running map[types.UID]*driver
}

// play is the process of every driver, until the context is done.
func play(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = roleLabel }))
	informer := factory.Core().V1().Pods().Informer()
	changes := make(chan change)
	tell := func(object any, gone bool) {
		if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = last.Obj
		}
		select {
		case changes <- change{object.(*corev1.Pod), gone}:
		case <-ctx.Done():
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell(object, false) },
		UpdateFunc: func(_, object any) { tell(object, false) },
		DeleteFunc: func(object any) { tell(object, true) },
	}); err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(ctx.Done())
	d := &drivers{client: client, store: informer.GetStore(), running: map[types.UID]*driver{}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-changes:
			if c.pod.Labels[roleLabel] == executorRole {
				d.seen(c.pod)
			} else {
				d.report(d.changed(ctx, c))
			}
		case <-tick.C:
			for _, pod := range d.pods(func(p *corev1.Pod) bool { return p.Labels[roleLabel] == driverRole }) {
				d.report(d.allocate(ctx, pod))
			}
		}
	}
}

// report logs an error: what failed is tried again.
func (d *drivers) report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// seen has the driver of an executor know that it is there, or was.
func (d *drivers) seen(pod *corev1.Pod) {
	for _, is := range d.running {
		if is.application == pod.Labels[applicationLabel] {
			delete(is.unseen, pod.Name)
		}
	}
}

// changed has a driver end as its pod does. One that is told to end removes its executors first;
// so does one whose program is done. One that dies does not: its executors notice, and exit. Those
// that have not started stay.
func (d *drivers) changed(ctx context.Context, c change) error {
	is := d.running[c.pod.UID]
	if is == nil {
		return nil
	}
	told := c.pod.DeletionTimestamp != nil && c.pod.DeletionGracePeriodSeconds != nil && *c.pod.DeletionGracePeriodSeconds > 0
	if (told || c.pod.Status.Phase == corev1.PodSucceeded) && !is.stopped {
		is.stopped = true
		return d.client.CoreV1().Pods(c.pod.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: applicationLabel + "=" + is.application + "," + roleLabel + "=" + executorRole})
	}
	if !c.gone && c.pod.Status.Phase != corev1.PodFailed {
		return nil
	}
	delete(d.running, c.pod.UID)
	if is.stopped {
		return nil
	}
	var failed error
	for _, pod := range d.executors(c.pod.Namespace, is.application) {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			failed = errors.Join(failed, d.exit(ctx, pod))
		}
	}
	return failed
}

// exit has the containers of an executor exit with 1.
func (d *drivers) exit(ctx context.Context, pod *corev1.Pod) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"1",%q:"0s"}}}`, localcluster.ExitCodeAnnotation, localcluster.RunForAnnotation)
	// As a kubelet writes: no webhook is asked.
	_, err := d.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	return err
}

// allocate is one round of ExecutorPodsAllocator for a driver whose pod is ready.
func (d *drivers) allocate(ctx context.Context, pod *corev1.Pod) error {
	if pod.DeletionTimestamp != nil || !ready(pod) {
		return nil
	}
	is := d.running[pod.UID]
	if is == nil {
		var err error
		if is, err = d.start(ctx, pod); err != nil {
			return fmt.Errorf("starting driver %q: %w", pod.Name, err)
		}
		d.running[pod.UID] = is
	}
	var living []*corev1.Pod
	for _, executor := range d.executors(pod.Namespace, is.application) {
		switch {
		case executor.DeletionTimestamp != nil:
		case executor.Status.Phase == corev1.PodFailed || executor.Status.Phase == corev1.PodSucceeded:
			// spark.kubernetes.executor.deleteOnTermination
			if err := d.delete(ctx, executor); err != nil {
				return err
			}
		default:
			living = append(living, executor)
		}
	}
	wanted, err := is.wanted(pod)
	if err != nil {
		return err
	}
	for i := wanted; i < len(living); i++ {
		if err := d.delete(ctx, living[i]); err != nil {
			return err
		}
	}
	if len(is.unseen) > 0 {
		return nil
	}
	for range min(wanted-len(living), batchSize) {
		if err := d.request(ctx, pod, is); err != nil {
			return fmt.Errorf("making an executor of driver %q: %w", pod.Name, err)
		}
	}
	return nil
}

// start is a driver's process at its start.
func (d *drivers) start(ctx context.Context, pod *corev1.Pod) (*driver, error) {
	is := &driver{application: pod.Labels[applicationLabel], unseen: map[string]bool{}}
	for _, volume := range pod.Spec.Volumes {
		if volume.ConfigMap == nil {
			continue
		}
		read, err := d.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		switch {
		case err != nil:
			return nil, err
		case volume.Name == confVolume:
			is.conf = readProperties(read.Data[confKey])
		case volume.Name == templateVolume:
			is.template = []byte(read.Data[templateKey])
		}
	}
	return is, nil
}

// wanted is how many executors the driver's program wants.
func (is *driver) wanted(pod *corev1.Pod) (int, error) {
	if text, said := pod.Annotations[wantedAnnotation]; said && is.conf["spark.dynamicAllocation.enabled"] == "true" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("annotation %s of pod %q is %q; expected a whole number", wantedAnnotation, pod.Name, text)
		}
		return n, nil
	}
	return is.conf.executors()
}

// request makes the pod of an executor.
func (d *drivers) request(ctx context.Context, pod *corev1.Pod, is *driver) error {
	is.last++
	id := strconv.Itoa(is.last)
	executor, err := podOf(is.template)
	if err != nil {
		return err
	}
	executor.Name = is.conf["spark.kubernetes.executor.podNamePrefix"] + "-exec-" + id
	isController := true
	executor.OwnerReferences = append(executor.OwnerReferences, metav1.OwnerReference{
		APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID, Controller: &isController,
	})
	if err := is.conf.fill(executor, executorRole, is.application, id); err != nil {
		return err
	}
	if _, err := d.client.CoreV1().Pods(pod.Namespace).Create(ctx, executor, metav1.CreateOptions{}); err != nil {
		return err
	}
	is.unseen[executor.Name] = true
	return nil
}

func (d *drivers) delete(ctx context.Context, pod *corev1.Pod) error {
	err := d.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))})
	if err != nil {
		return fmt.Errorf("deleting executor %q: %w", pod.Name, err)
	}
	return nil
}

// executors are those of an application, the eldest first.
func (d *drivers) executors(namespace, application string) []*corev1.Pod {
	return d.pods(func(p *corev1.Pod) bool {
		return p.Namespace == namespace && p.Labels[applicationLabel] == application && p.Labels[roleLabel] == executorRole
	})
}

// pods are those in the cache that are so, by the number of the executor and by name.
func (d *drivers) pods(is func(*corev1.Pod) bool) []*corev1.Pod {
	var out []*corev1.Pod
	for _, object := range d.store.List() {
		if pod := object.(*corev1.Pod); is(pod) {
			out = append(out, pod)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		one, _ := strconv.Atoi(a.Labels[executorLabel])
		other, _ := strconv.Atoi(b.Labels[executorLabel])
		return cmp.Or(cmp.Compare(one, other), cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	return out
}

// ready reports whether a pod is.
func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
