package state

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
)

// AmountOf returns a quantity in the unit in which its resource is counted: thousandths of
// a core for CPU, and whole units of all else. Parts of a unit count as one.
func AmountOf(name corev1.ResourceName, q resource.Quantity) quota.Amount {
	most := int64(math.MaxInt64 - 1)
	if name == corev1.ResourceCPU {
		most /= 1000
	}
	switch {
	case q.CmpInt64(most) > 0:
		return quota.Most
	case name == corev1.ResourceCPU:
		return quota.Amount(q.MilliValue())
	}
	return quota.Amount(q.Value())
}

// QuantityOf is the inverse of AmountOf, for whole units.
func QuantityOf(name corev1.ResourceName, amount quota.Amount) resource.Quantity {
	switch name {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(int64(amount), resource.DecimalSI)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return *resource.NewQuantity(int64(amount), resource.BinarySI)
	}
	return *resource.NewQuantity(int64(amount), resource.DecimalSI)
}

// QueueSpec translates a Queue.
func QueueSpec(q *v1alpha1.Queue) quota.Spec {
	spec := quota.Spec{Name: q.Name, Parent: q.Spec.Parent, Resources: make(map[string]quota.Quota, len(q.Spec.Resources)), Access: accessOf(&q.Spec)}
	for i := range q.Spec.Resources {
		r := &q.Spec.Resources[i]
		name := corev1.ResourceName(r.Name)
		of := quota.Quota{Guaranteed: amountOf(name, r.Guaranteed), Limit: amountOf(name, r.Limit)}
		if r.Weight != nil {
			weight := quota.Amount(*r.Weight)
			of.Weight = &weight
		}
		spec.Resources[r.Name] = of
	}
	switch q.Spec.Order {
	case v1alpha1.OrderPriority:
		spec.Order = quota.Priority
	case v1alpha1.OrderFIFO:
		spec.Order = quota.FIFO
	}
	if h := q.Spec.FairShareHalfLife; h != nil {
		spec.HalfLife = h.Duration
	}
	p := &q.Spec.Preemption
	// By default, gangs of a queue yield to those of a higher priority only.
	spec.Preemption = quota.Preemption{WithinQueue: whom(p.WithinQueue, quota.LowerPriority), Reclaim: whom(p.Reclaim, quota.Any)}
	if p.MinRuntime != nil {
		spec.Preemption.MinRuntime = p.MinRuntime.Duration
	}
	if p.GraceBeforeReclaim != nil {
		spec.Preemption.Grace = p.GraceBeforeReclaim.Duration
	}
	return spec
}

func amountOf(name corev1.ResourceName, q *resource.Quantity) *quota.Amount {
	if q == nil {
		return nil
	}
	amount := AmountOf(name, *q)
	return &amount
}

func whom(policy v1alpha1.PreemptionPolicy, byDefault quota.Whom) quota.Whom {
	switch policy {
	case v1alpha1.PreemptAny:
		return quota.Any
	case v1alpha1.PreemptLowerPriority:
		return quota.LowerPriority
	case v1alpha1.PreemptNever:
		return quota.Never
	}
	return byDefault
}

// ElasticQuotaSpec translates an ElasticQuota of scheduler-plugins: a queue with the name of
// its namespace, which alone may use it.
func ElasticQuotaSpec(obj *unstructured.Unstructured) quota.Spec {
	guaranteed, limit := dialect.ElasticQuota(obj)
	spec := quota.Spec{
		Name: obj.GetNamespace(), Resources: map[string]quota.Quota{}, Preemption: quota.Preemption{WithinQueue: quota.LowerPriority},
		Access: quota.Access{Namespaces: []string{obj.GetNamespace()}},
	}
	for name, q := range guaranteed {
		of := spec.Resources[string(name)]
		of.Guaranteed = amountOf(name, &q)
		spec.Resources[string(name)] = of
	}
	for name, q := range limit {
		of := spec.Resources[string(name)]
		of.Limit = amountOf(name, &q)
		spec.Resources[string(name)] = of
	}
	return spec
}
