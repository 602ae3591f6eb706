package main

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"text/template"

	"k8s.io/apimachinery/pkg/runtime"
	kubeschedulerconfigv1 "k8s.io/kube-scheduler/config/v1"
	"k8s.io/kubernetes/pkg/features"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// objects are templates of what scheduler_perf makes, in its own words.
//
//go:embed objects/*.yaml
var objects embed.FS

// op is an operation of scheduler_perf.
type op map[string]any

// workload writes what scheduler_perf needs for a topic and a scheduler into a
// folder, and returns the file to give it.
func workload(dir string, t topic, n sizes, who *schedulers.Scheduler) (string, error) {
	scheduler := filepath.Join(dir, "scheduler.yaml")
	if err := writeConfiguration(scheduler, who); err != nil {
		return "", err
	}
	w := writer{dir: dir}
	ops := w.operations(t, n)
	if w.err != nil {
		return "", w.err
	}
	tests := []map[string]any{{
		"name":                t.name,
		"featureGates":        gates(t, who.Name),
		"schedulerConfigPath": scheduler,
		"workloadTemplate":    ops,
		"workloads":           []map[string]any{{"name": who.Name, "labels": []string{"performance"}, "params": map[string]any{}}},
	}}
	path := filepath.Join(dir, "workload.yaml")
	text, err := yaml.Marshal(tests)
	if err != nil {
		return "", fmt.Errorf("rendering the workload: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return "", fmt.Errorf("writing the workload: %w", err)
	}
	return path, nil
}

// gates are the feature gates of a run. Those of upstream are as shipped, but where
// there are gangs, which it has behind gates.
func gates(t topic, scheduler string) map[string]bool {
	if scheduler == schedulers.Berth || scheduler == schedulers.Null {
		return podgroups.Gates()
	}
	if t.full.gang == 0 {
		return map[string]bool{}
	}
	gates := maps.Clone(podgroups.Gates())
	maps.DeleteFunc(gates, func(name string, on bool) bool { return !on || name == string(features.SchedulerPreQueueingHints) })
	return gates
}

// writer writes templates of objects, until the first error.
type writer struct {
	dir string
	err error
}

func (w *writer) operations(t topic, n sizes) []op {
	ops := []op{{"opcode": "createNodes", "count": n.nodes, "nodeTemplatePath": w.object("node.yaml", "node", nil)}}
	if n.filled > 0 {
		ops = append(ops, w.pods(filled, n.filled, true, pod{GPUs: fmt.Sprint(n.filledGPUs), OnNode: "{{.Index}}"}))
	}
	if n.leaving > 0 {
		// The nodes that filled pods leave whole, or one GPU of: eight a node or one.
		node := "{{.Index}}"
		if n.filledGPUs == gpusPerNode {
			node = fmt.Sprintf("{{AddInt %d (DivideInt .Index %d)}}", n.filled, gpusPerNode)
		}
		ops = append(ops, w.pods(leaving, n.leaving, true, pod{GPUs: "1", OnNode: node}))
	}
	// The scheduler waits for a first pod already: one that is not measured.
	ops = append(ops, w.pods(warm, warmUps(n), false, pod{GPUs: "1"}))
	if n.waiting > 0 {
		ops = append(ops, w.pods(waiting, n.waiting, true, pod{GPUs: "8"}),
			op{"opcode": "barrier", "namespaces": []string{waiting}, "stageRequirement": "Attempted"})
	}
	if n.gang > 0 {
		ops = append(ops, op{
			"opcode": "createPodGroups", "namespace": measured, "count": n.pods / n.gang,
			"templatePath": w.object("podgroup.yaml", "podgroup", map[string]any{"Size": n.gang, "Level": t.level, "Segment": t.segment, "SegmentLevel": t.segmentLevel}),
		})
	}
	ops = append(ops, op{"opcode": "startCollectingMetrics", "name": t.name, "namespaces": []string{measured}},
		w.pods(measured, n.pods, true, pod{GPUs: t.gpus, Gang: n.gang}))
	if n.leaving > 0 {
		ops = append(ops, op{"opcode": "deletePods", "namespace": leaving, "deletePodsPerSecond": n.leavingPerSecond, "skipWaitToCompletion": true})
	}
	return append(ops, op{"opcode": "barrier", "namespaces": []string{measured}},
		op{"opcode": "stopCollectingMetrics"},
		// The last events are written meanwhile, and counted.
		op{"opcode": "sleep", "duration": settle.String()})
}

// warmUps returns how many pods are placed before those that are measured.
func warmUps(n sizes) int { return min(20, n.nodes/4) }

// pod says what is in the template of a pod. OnNode is the number of the node that it
// is made on, "" for one that a scheduler places.
type pod struct {
	GPUs, OnNode string
	Gang         int
}

// pods are alike but for their names, so that upstream may use the result of one
// cycle for the next.
func (w *writer) pods(namespace string, count int, skipWait bool, p pod) op {
	return op{
		"opcode": "createPods", "namespace": namespace, "count": count, "signatureBatchSize": count, "skipWaitToCompletion": skipWait,
		"podTemplatePath": w.object("pod.yaml", "pod-"+namespace, map[string]any{"GPUs": p.GPUs, "OnNode": p.OnNode, "Gang": p.Gang, "Namespace": namespace}),
	}
}

// object fills in what is alike for all objects of a template, between [[ and ]], and
// leaves the rest to scheduler_perf.
func (w *writer) object(file, name string, values map[string]any) string {
	path := filepath.Join(w.dir, name+".yaml")
	text, err := objects.ReadFile("objects/" + file)
	if err == nil {
		var t *template.Template
		if t, err = template.New(file).Delims("[[", "]]").Parse(string(text)); err == nil {
			var out bytes.Buffer
			if err = t.Execute(&out, values); err == nil {
				err = os.WriteFile(path, out.Bytes(), 0o644)
			}
		}
	}
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("writing the template of %s: %w", name, err)
	}
	return path
}

// writeConfiguration writes a KubeSchedulerConfiguration with the scheduler's profile.
func writeConfiguration(path string, who *schedulers.Scheduler) error {
	cfg, err := latest.Default()
	if err != nil {
		return fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	profile, err := who.Profile()
	if err != nil {
		return err
	}
	cfg.Profiles = []schedulerconfig.KubeSchedulerProfile{*profile}
	cfg.APIVersion = kubeschedulerconfigv1.SchemeGroupVersion.String()
	info, ok := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeYAML)
	if !ok {
		return fmt.Errorf("encoding the scheduler configuration: no serializer for %s", runtime.ContentTypeYAML)
	}
	text, err := runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, kubeschedulerconfigv1.SchemeGroupVersion), cfg)
	if err != nil {
		return fmt.Errorf("encoding the scheduler configuration: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the scheduler configuration: %w", err)
	}
	return nil
}
