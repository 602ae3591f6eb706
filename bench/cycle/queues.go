package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

const (
	// queuesInCohort is how many queues there are to a cohort, which is one of them.
	queuesInCohort = 25
	// gangPods is how many pods a gang has that waits in a queue.
	gangPods = 4
)

// forest is queues in cohorts.
type forest struct {
	objects []*v1alpha1.Queue
	// leaves are the names of those that gangs are in.
	leaves []string
}

// newForest makes so many queues for a cluster. Cohorts have weights of 1 to 4, every other
// one has a limit of half of its part of the cluster, and every tenth a half-life. Of the
// queues in them, a third is guaranteed as much as a node has, another may have no more than
// the largest gang asks for, and all have weights of 1 to 4.
func newForest(queues, nodes int) *forest {
	f := &forest{}
	add := func(name, parent string, of v1alpha1.QueueResource) *v1alpha1.Queue {
		of.Name = string(schedulers.GPU)
		q := &v1alpha1.Queue{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Queue"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1, CreationTimestamp: metav1.Unix(epoch, 0)},
			Spec:       v1alpha1.QueueSpec{Parent: parent, Namespaces: []string{rig.Namespace}, Resources: []v1alpha1.QueueResource{of}},
		}
		f.objects = append(f.objects, q)
		return q
	}
	cohorts := max(1, queues/queuesInCohort)
	for c := range cohorts {
		of := v1alpha1.QueueResource{Weight: new(int64(1 + c%4))}
		if c%2 == 1 {
			of.Limit = gpus(max(nodes*rig.GPUsPerNode/cohorts/2, queuesInCohort*rig.GPUsPerNode))
		}
		q := add(fmt.Sprintf("cohort-%d", c), "", of)
		if c%10 == 0 {
			q.Spec.FairShareHalfLife = &metav1.Duration{Duration: time.Hour}
		}
	}
	for i := range queues - cohorts {
		name, of := fmt.Sprintf("queue-%d", i), v1alpha1.QueueResource{Weight: new(int64(1 + i/3%4))}
		switch i % 3 {
		case 0:
			of.Guaranteed = gpus(rig.GPUsPerNode)
		case 1:
			of.Limit = gpus(gangPods * rig.GPUsPerNode)
		}
		add(name, fmt.Sprintf("cohort-%d", i%cohorts), of)
		f.leaves = append(f.leaves, name)
	}
	return f
}

// leaf returns the i-th queue, and the first after the last.
func (f *forest) leaf(i int) string { return f.leaves[i%len(f.leaves)] }

func gpus(n int) *resource.Quantity { return resource.NewQuantity(int64(n), resource.DecimalSI) }

// workload is a gang that waits in a queue, or runs.
type workload struct {
	name, queue string
	pods        []*corev1.Pod
	gpus        int
	// bound is how many of its pods were bound, and evicted how many of those were.
	bound, evicted int
}

// generator makes gangs of random sizes, always the same.
type generator struct {
	random *rand.Rand
	made   int
}

func newGenerator() *generator { return &generator{random: rand.New(rand.NewPCG(1, 1))} }

// next makes a gang of a queue, of pods of 1, 2, 4 or 8 GPUs.
func (t *generator) next(queue string) *workload {
	t.made++
	name, each := "gang-"+strconv.Itoa(t.made), 1<<t.random.IntN(4)
	out := &workload{name: name, queue: queue, pods: make([]*corev1.Pod, gangPods), gpus: gangPods * each}
	for i := range out.pods {
		p := rig.Pod(name+"-"+strconv.Itoa(i), each)
		p.CreationTimestamp = metav1.Unix(epoch+int64(t.made), 0)
		p.Labels = map[string]string{"berth.dev/gang": name, queueLabel: queue}
		p.Annotations = map[string]string{"berth.dev/gang-size": strconv.Itoa(gangPods)}
		out.pods[i] = p
	}
	return out
}

const (
	queueLabel = "berth.dev/queue"
	// epoch is before everything, in seconds.
	epoch = 1_700_000_000
)
