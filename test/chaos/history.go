package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Record is one state of one pod.
type Record struct {
	At time.Time `json:"at"`
	// Version is the store's revision of this state: the order of a history.
	Version uint64          `json:"version"`
	UID     types.UID       `json:"uid"`
	Name    string          `json:"name"`
	Gang    string          `json:"gang,omitempty"`
	Size    int             `json:"size,omitempty"`
	Node    string          `json:"node,omitempty"`
	GPUs    int64           `json:"gpus,omitempty"`
	Devices []string        `json:"devices,omitempty"`
	Phase   corev1.PodPhase `json:"phase,omitempty"`
	// Waits is the reason of PodScheduled=False, "" if the pod does not say that it waits.
	Waits string `json:"waits,omitempty"`
	Gone  bool   `json:"gone,omitempty"`
}

// Ended reports whether the pod holds nothing any more.
func (r *Record) Ended() bool {
	return r.Gone || r.Phase == corev1.PodSucceeded || r.Phase == corev1.PodFailed
}

// recordOf reads a pod of Berth's.
func recordOf(pod *corev1.Pod, at time.Time) Record {
	version, _ := strconv.ParseUint(pod.ResourceVersion, 10, 64)
	size, _ := strconv.Atoi(pod.Annotations["berth.dev/gang-size"])
	r := Record{
		At: at, Version: version, UID: pod.UID, Name: pod.Name, Gang: pod.Labels["berth.dev/gang"], Size: size,
		Node: pod.Spec.NodeName, Phase: pod.Status.Phase, Devices: devicesOf(pod.Annotations["berth.dev/devices"]),
	}
	for i := range pod.Spec.Containers {
		gpus := pod.Spec.Containers[i].Resources.Requests["nvidia.com/gpu"]
		r.GPUs += gpus.Value()
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			r.Waits = c.Reason
		}
	}
	return r
}

// devicesOf reads the devices of all containers from the annotation that names them.
func devicesOf(text string) []string {
	byContainer := map[string][]string{}
	if text == "" || json.Unmarshal([]byte(text), &byContainer) != nil {
		return nil
	}
	var all []string
	for _, devices := range byContainer {
		all = append(all, devices...)
	}
	slices.Sort(all)
	return all
}

// Recorder keeps what becomes of the pods of a namespace.
type Recorder struct {
	mu      sync.Mutex
	history []Record
	changed chan struct{}
}

// RecordPods begins to record the pods of a namespace, until the context ends.
func RecordPods(ctx context.Context, client kubernetes.Interface, namespace string) (*Recorder, error) {
	r := &Recorder{changed: make(chan struct{}, 1)}
	informer := coreinformers.NewPodInformer(client, namespace, 0, cache.Indexers{})
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { r.add(obj, false) },
		UpdateFunc: func(_, obj any) { r.add(obj, false) },
		DeleteFunc: func(obj any) { r.add(obj, true) },
	})
	if err != nil {
		return nil, fmt.Errorf("recording pods: %w", err)
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return nil, fmt.Errorf("recording pods: %w", context.Cause(ctx))
	}
	return r, nil
}

func (r *Recorder) add(obj any, gone bool) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok || pod.Spec.SchedulerName != "berth" {
		return
	}
	record := recordOf(pod, time.Now())
	record.Gone = gone
	r.mu.Lock()
	r.history = append(r.history, record)
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Changed is readable after something was recorded.
func (r *Recorder) Changed() <-chan struct{} { return r.changed }

// Latest returns the last state of each pod whose name has a prefix.
func (r *Recorder) Latest(prefix string) map[string]Record {
	out := map[string]Record{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range r.history {
		if strings.HasPrefix(record.Name, prefix) {
			out[record.Name] = record
		}
	}
	return out
}

// Take returns what was recorded since the last Take, in the order of the store.
func (r *Recorder) Take() []Record {
	r.mu.Lock()
	taken := r.history
	r.history = nil
	r.mu.Unlock()
	slices.SortStableFunc(taken, func(a, b Record) int {
		switch {
		case a.Version < b.Version:
			return -1
		case a.Version > b.Version:
			return 1
		}
		return 0
	})
	return taken
}

// Write writes a history as JSON, one record a line.
func Write(path string, history []Record) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing a history: %w", err)
	}
	encoder := json.NewEncoder(file)
	for i := range history {
		if err := encoder.Encode(&history[i]); err != nil {
			_ = file.Close()
			return fmt.Errorf("writing a history: %w", err)
		}
	}
	return file.Close()
}
