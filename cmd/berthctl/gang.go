package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostCopies is how many pods one pod may stand for.
const mostCopies = 1 << 16

// gangInput is a gang to plan.
type gangInput struct {
	// name is how it is called in a sentence.
	name string
	// pods wait, running have a node.
	pods, running []*corev1.Pod
	// verdict admits it or says why not.
	verdict gang.Verdict
}

// readGang makes a gang of the pods of a text.
func readGang(text []byte) (*gangInput, error) {
	pods, err := readPods(text)
	if err != nil {
		return nil, err
	}
	// Those that have ended hold no node, and are there for their logs alone.
	pods = slices.DeleteFunc(pods, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	if len(pods) == 0 {
		return nil, errors.New("every pod has ended; give pods that wait")
	}
	if len(pods) == 1 && pods[0].Spec.NodeName == "" {
		if pods, err = copies(pods[0]); err != nil {
			return nil, err
		}
	}
	return gangOf(pods)
}

// gangOf checks that pods are of one gang, and resolves what they say.
func gangOf(pods []*corev1.Pod) (*gangInput, error) {
	g := &gangInput{}
	var first gang.Key
	var members []gang.Member
	names := map[string]bool{}
	for i, pod := range pods {
		if names[pod.Namespace+"/"+pod.Name] {
			return nil, fmt.Errorf("pod %q is there twice; give each pod a metadata.name of its own", pod.Name)
		}
		names[pod.Namespace+"/"+pod.Name] = true
		key, member, ok := workload.MemberOf(pod)
		switch {
		case !ok && len(pods) > 1:
			return nil, fmt.Errorf("pod %q is in no gang, and there are %d pods; give all of them the label berth.dev/gang and the annotation berth.dev/gang-size", pod.Name, len(pods))
		case !ok: // by itself
			g.name = "pod " + pod.Namespace + "/" + pod.Name
			g.verdict = gang.Verdict{Action: gang.Admit, Group: gang.Group{Size: 1, Need: 1}}
		case i == 0:
			first = key
		case key != first && member.Fault == nil:
			return nil, fmt.Errorf("pod %q is of gang %s (%s), and pod %q of gang %s (%s); plan one gang at a time", pods[0].Name, first, first.Dialect, pod.Name, key, key.Dialect)
		}
		members = append(members, member)
		if pod.Spec.NodeName == "" {
			g.pods = append(g.pods, pod)
		} else {
			g.running = append(g.running, pod)
		}
	}
	if len(g.pods) == 0 {
		return nil, errors.New("every pod has a spec.nodeName already; give pods that wait")
	}
	if g.name == "" {
		g.name = "gang " + first.String()
		g.verdict = gang.Resolve(first, nil, members, func(string) bool { return true }, len(g.running) > 0)
	}
	if g.verdict.Action == gang.Admit {
		for _, pod := range g.pods {
			if _, err := dialect.GPULink(pod); err != nil {
				g.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Malformed, Text: fmt.Sprintf("pod %q: %v", pod.Name, err)}
				break
			}
		}
	}
	return g, nil
}

// topology returns what the gang asks for.
func (g *gangInput) topology() gang.Topology {
	return gangtable.TopologyOf(gangtable.PodGroup(g.verdict.Group))
}

// copies returns the pods that one stands for: as many as the size of its gang, with ranks
// from 0 on.
func copies(pod *corev1.Pod) ([]*corev1.Pod, error) {
	said, ok := dialect.Of(pod)
	if ok && said.Key.Dialect == dialect.Owner && metav1.GetControllerOfNoCopy(pod) == nil {
		// A size and no name: the template of a Job.
		ownBy(pod, "batch/v1", "Job", pod.Name)
		said, ok = dialect.Of(pod)
	}
	if !ok || said.Fault != nil || said.Claims.Size == nil || *said.Claims.Size < 1 {
		return []*corev1.Pod{pod}, nil
	}
	size := *said.Claims.Size
	if size > mostCopies {
		return nil, fmt.Errorf("pod %q: its gang has a size of %d; one pod may stand for at most %d", pod.Name, size, mostCopies)
	}
	out := make([]*corev1.Pod, size)
	for rank := range out {
		one := *pod
		one.Name = fmt.Sprintf("%s-%d", pod.Name, rank)
		one.Annotations = map[string]string{}
		for key, value := range pod.Annotations {
			one.Annotations[key] = value
		}
		one.Annotations["berth.dev/rank"] = strconv.Itoa(rank)
		out[rank] = &one
	}
	return out, nil
}

// ownBy gives a pod a controller.
func ownBy(pod *corev1.Pod, apiVersion, kind, name string) {
	yes := true
	pod.OwnerReferences = append(pod.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, Controller: &yes})
}

// readPods reads the documents of a text.
func readPods(text []byte) ([]*corev1.Pod, error) {
	var pods []*corev1.Pod
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		some, err := readDocument(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		pods = append(pods, some...)
	}
	if len(pods) == 0 {
		return nil, errors.New("there is no pod in it; give a Pod with the annotation berth.dev/gang-size, or all pods of the gang")
	}
	for _, pod := range pods {
		if pod.Name == "" {
			pod.Name = strings.TrimSuffix(pod.GenerateName, "-")
		}
		if pod.Name == "" {
			return nil, errors.New("a pod has no metadata.name; give it one")
		}
		if pod.Namespace == "" {
			pod.Namespace = metav1.NamespaceDefault
		}
		setDefaults(&pod.Spec)
	}
	return pods, nil
}

// readDocument reads a Pod, a Job, or a list of such.
func readDocument(document []byte) ([]*corev1.Pod, error) {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, fmt.Errorf("it is no object in YAML or JSON: %w", err)
	}
	switch head.Kind {
	case "Pod":
		pod := &corev1.Pod{}
		if err := yaml.UnmarshalStrict(document, pod); err != nil {
			return nil, fmt.Errorf("reading a Pod: %w", err)
		}
		return []*corev1.Pod{pod}, nil
	case "Job":
		job := &batchv1.Job{}
		if err := yaml.UnmarshalStrict(document, job); err != nil {
			return nil, fmt.Errorf("reading a Job: %w", err)
		}
		pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
		pod.Name, pod.Namespace = job.Name, job.Namespace
		if pod.Name == "" {
			pod.Name = strings.TrimSuffix(job.GenerateName, "-")
		}
		ownBy(pod, batchv1.SchemeGroupVersion.String(), head.Kind, pod.Name)
		return []*corev1.Pod{pod}, nil
	case "List", "PodList":
		var list struct {
			Items []runtime.RawExtension `json:"items"`
		}
		if err := yaml.Unmarshal(document, &list); err != nil {
			return nil, fmt.Errorf("reading a %s: %w", head.Kind, err)
		}
		var pods []*corev1.Pod
		for i := range list.Items {
			some, err := readDocument(list.Items[i].Raw)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i+1, err)
			}
			pods = append(pods, some...)
		}
		return pods, nil
	case "":
		if text, err := yaml.YAMLToJSON(document); err == nil && string(text) == "null" {
			return nil, nil
		}
		return nil, errors.New("it has no kind; give a Pod, a Job or a List of pods")
	}
	return nil, fmt.Errorf("its kind is %s; give a Pod, a Job or a List of pods: a Pod made of its template, with the annotation berth.dev/gang-size, stands for all of them", head.Kind)
}

// setDefaults sets what the API server would: a limit is the request where there is none.
func setDefaults(spec *corev1.PodSpec) {
	set := func(r *corev1.ResourceRequirements) {
		for name, limit := range r.Limits {
			if _, requested := r.Requests[name]; !requested {
				if r.Requests == nil {
					r.Requests = corev1.ResourceList{}
				}
				r.Requests[name] = limit
			}
		}
	}
	for i := range spec.InitContainers {
		set(&spec.InitContainers[i].Resources)
	}
	for i := range spec.Containers {
		set(&spec.Containers[i].Resources)
	}
}
