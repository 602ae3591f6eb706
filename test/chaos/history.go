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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
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
	// Queue is what the pod's label names, and Evicted says that somebody has the pod go.
	Queue   string `json:"queue,omitempty"`
	Evicted bool   `json:"evicted,omitempty"`
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
		At: at, Version: version, UID: pod.UID, Name: pod.Name, Gang: pod.Labels["berth.dev/gang"], Size: size, Queue: pod.Labels["berth.dev/queue"],
		Node: pod.Spec.NodeName, Phase: pod.Status.Phase, Devices: devicesOf(pod.Annotations["berth.dev/devices"]),
	}
	for i := range pod.Spec.Containers {
		gpus := pod.Spec.Containers[i].Resources.Requests["nvidia.com/gpu"]
		r.GPUs += gpus.Value()
	}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			r.Waits = c.Reason
		case c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue:
			r.Evicted = true
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
	client typedcorev1.PodInterface
	// known are the pods that there are.
	known map[types.UID]*corev1.Pod

	mu      sync.Mutex
	history []Record
}

// RecordPods begins to record the pods of a namespace, until the context ends.
func RecordPods(ctx context.Context, client kubernetes.Interface, namespace string) (*Recorder, error) {
	r := &Recorder{client: client.CoreV1().Pods(namespace), known: map[types.UID]*corev1.Pod{}}
	version, err := r.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("recording pods: %w", err)
	}
	go r.run(ctx, version)
	return r, nil
}

// run watches from a version on. It comes back at once where a watch breaks, which an
// informer does not: what it tells late would seem to have come late.
func (r *Recorder) run(ctx context.Context, version string) {
	for ctx.Err() == nil {
		if version = r.watch(ctx, version); version != "" {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
		if listed, err := r.list(ctx); err == nil {
			version = listed
		}
	}
}

// list takes in what there is, and returns its version.
func (r *Recorder) list(ctx context.Context) (string, error) {
	pods, err := r.client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	there := map[types.UID]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		there[pod.UID] = true
		if old := r.known[pod.UID]; old == nil || old.ResourceVersion != pod.ResourceVersion {
			r.add(pod, false)
		}
	}
	for uid, pod := range r.known {
		if !there[uid] {
			gone := pod.DeepCopy()
			gone.ResourceVersion = pods.ResourceVersion
			r.add(gone, true)
		}
	}
	return pods.ResourceVersion, nil
}

// watch takes in changes until the watch ends, and returns from where to go on, "" if that
// is not known.
func (r *Recorder) watch(ctx context.Context, version string) string {
	if version == "" {
		return ""
	}
	events, err := r.client.Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		return ""
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return ""
		}
		r.add(pod, event.Type == watch.Deleted)
		version = pod.ResourceVersion
	}
	return version
}

func (r *Recorder) add(pod *corev1.Pod, gone bool) {
	r.known[pod.UID] = pod
	if gone {
		delete(r.known, pod.UID)
	}
	if pod.Spec.SchedulerName != "berth" {
		return
	}
	record := recordOf(pod, time.Now())
	record.Gone = gone
	r.mu.Lock()
	r.history = append(r.history, record)
	r.mu.Unlock()
}

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
