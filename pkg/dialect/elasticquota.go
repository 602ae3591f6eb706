package dialect

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ElasticQuotas is the resource of scheduler-plugins' quotas of namespaces.
var ElasticQuotas = schema.GroupVersionResource{Group: "scheduling.x-k8s.io", Version: "v1alpha1", Resource: "elasticquotas"}

// ElasticQuota reads an ElasticQuota of scheduler-plugins: what its namespace is guaranteed
// and what it may have at most. Amounts that are no quantities, or negative, are left out:
// the definition of the kind does not let them be.
func ElasticQuota(obj *unstructured.Unstructured) (guaranteed, limit corev1.ResourceList) {
	return quantities(obj, "min"), quantities(obj, "max")
}

func quantities(obj *unstructured.Unstructured, field string) corev1.ResourceList {
	fields, _, _ := unstructured.NestedMap(obj.Object, "spec", field)
	out := corev1.ResourceList{}
	for name, value := range fields {
		var q resource.Quantity
		var err error
		switch v := value.(type) {
		case string:
			q, err = resource.ParseQuantity(v)
		case int64:
			q = *resource.NewQuantity(v, resource.DecimalSI)
		default:
			continue
		}
		if err == nil && q.Sign() >= 0 {
			out[corev1.ResourceName(name)] = q
		}
	}
	return out
}

// NamespaceQueue reads the queue that a namespace names for its pods that name none: the
// label berth.dev/queue.
func NamespaceQueue(labels map[string]string) string { return labels[berthQueueLabel] }
