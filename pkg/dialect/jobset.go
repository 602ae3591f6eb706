package dialect

import (
	"math"
	"math/bits"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations that the JobSet controller puts on its pods.
const (
	jobSetNameLabel          = "jobset.sigs.k8s.io/jobset-name"
	jobSetReplicatedJobLabel = "jobset.sigs.k8s.io/replicatedjob-name"
	jobSetJobIndex           = "jobset.sigs.k8s.io/job-index"
	jobSetGlobalIndex        = "jobset.sigs.k8s.io/job-global-index"
	jobSetExclusive          = "alpha.jobset.sigs.k8s.io/exclusive-topology"
	jobSetNodeSelector       = "alpha.jobset.sigs.k8s.io/node-selector"
)

// jobSetMember reads the replicated job of a JobSet pod: each is a gang of its own,
// for the pods of a later one may not exist before an earlier one runs.
func jobSetMember(pod *corev1.Pod) (Membership, bool) {
	name := pod.Labels[jobSetNameLabel]
	if name == "" {
		return Membership{}, false
	}
	if _, sized := pod.Annotations[berthGangSize]; !sized && placedByJobSet(pod.Annotations) {
		return Membership{}, false
	}
	if job := pod.Labels[jobSetReplicatedJobLabel]; job != "" {
		name += "/" + job
	}
	return member(pod, JobSet, name, "label "+jobSetNameLabel, nil), true
}

// placedByJobSet reports exclusive placement with affinities: JobSet's webhook
// refuses to create the other pods of a job until its first is bound.
func placedByJobSet(annotations map[string]string) bool {
	_, selectors := annotations[jobSetNodeSelector]
	return annotations[jobSetExclusive] != "" && !selectors
}

func jobSetKind() Kind {
	return Kind{
		Resource: schema.GroupVersionResource{Group: "jobset.x-k8s.io", Version: "v1alpha2", Resource: "jobsets"},
		Kind:     "JobSet",
		Dialect:  JobSet,
		Declare:  declareJobSet,
		Status:   noStatus,
	}
}

// declareJobSet declares a gang for each replicated job that has pods. Where the pod
// template states a size, the pods carry it and the object is silent.
func declareJobSet(obj *unstructured.Unstructured) []Declared {
	r := newReader(obj, "JobSet.jobset.x-k8s.io")
	name := obj.GetName()
	if name == "" {
		return nil
	}
	claims := r.claims(obj, "")
	jobs := r.root(obj).object("spec").list("replicatedJobs")
	var declared []Declared
	for _, job := range jobs {
		template := job.object("template")
		sized := template.object("spec").object("template").object("metadata").object("annotations").text(berthGangSize) != ""
		size := replicatedJobPods(job)
		part := job.text("name")
		placed := placedByJobSet(obj.GetAnnotations()) || placedByJobSet(template.object("metadata").texts("annotations"))
		if size == 0 || part == "" || placed && !sized {
			continue
		}
		own := claims
		if !sized {
			own.Size = &size
		}
		key := gang.Key{Namespace: obj.GetNamespace(), Dialect: JobSet, Name: name + "/" + part}
		declared = append(declared, r.declared(key, own))
	}
	if r.fault == nil {
		return declared
	}
	if len(declared) == 0 {
		declared = append(declared, Declared{Key: gang.Key{Namespace: obj.GetNamespace(), Dialect: JobSet, Name: name}})
	}
	for i := range declared {
		declared[i] = r.declared(declared[i].Key, gang.Claims{})
	}
	return declared
}

// replicatedJobPods is the number of pods that a replicated job has at once:
//
//	replicas x min(parallelism, completions)
//
// each 1 if unsaid, where completions alone leaves parallelism at 1.
func replicatedJobPods(job node) int64 {
	spec := job.object("template").object("spec")
	pods := int64(1)
	if n := spec.integer("parallelism"); n != nil {
		pods = *n
	}
	if n := spec.integer("completions"); n != nil {
		pods = min(pods, *n)
	}
	if n := job.integer("replicas"); n != nil {
		return multiplySaturating(*n, pods)
	}
	return pods
}

// multiplySaturating multiplies without overflow.
func multiplySaturating(a, b int64) int64 {
	negative := (a < 0) != (b < 0)
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	switch {
	case (high != 0 || low > math.MaxInt64) && negative:
		return math.MinInt64
	case high != 0 || low > math.MaxInt64:
		return math.MaxInt64
	case negative:
		return -int64(low)
	}
	return int64(low)
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}
