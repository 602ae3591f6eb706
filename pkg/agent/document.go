package agent

import (
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// A document is what an apply sends, in JSON: what the agent owns of the object, and
// nothing else. Two that are equal say the same.
type document string

// specDocument has all but the status.
func specDocument(topology *v1alpha1.NodeTopology) (document, error) {
	meta := map[string]any{"name": topology.Name}
	if boot := topology.Annotations[report.BootAnnotation]; boot != "" {
		meta["annotations"] = map[string]string{report.BootAnnotation: boot}
	}
	if owners := nodeOwners(topology.OwnerReferences); len(owners) > 0 {
		meta["ownerReferences"] = owners
	}
	return encode(topology.Name, meta, "spec", topology.Spec)
}

// statusDocument has the status.
func statusDocument(topology *v1alpha1.NodeTopology) (document, error) {
	return encode(topology.Name, map[string]any{"name": topology.Name}, "status", topology.Status)
}

func encode(name string, meta map[string]any, part string, value any) (document, error) {
	encoded, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "NodeTopology",
		"metadata":   meta,
		part:         value,
	})
	if err != nil {
		return "", fmt.Errorf("encoding the %s of NodeTopology %q: %w", part, name, err)
	}
	return document(encoded), nil
}

// object returns the document as the client wants it.
func (d document) object() (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(d)); err != nil {
		return nil, fmt.Errorf("decoding what is to be applied: %w", err)
	}
	return object, nil
}

// decode returns an object of the API server as its type.
func decode(object *unstructured.Unstructured) (*v1alpha1.NodeTopology, error) {
	topology := &v1alpha1.NodeTopology{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, topology); err != nil {
		return nil, fmt.Errorf("decoding NodeTopology %q: %w", object.GetName(), err)
	}
	return topology, nil
}

// nodeOwner says that an object goes when its Node does.
func nodeOwner(name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: name, UID: uid}
}

// nodeOwners leaves out owners that the agent does not set.
func nodeOwners(owners []metav1.OwnerReference) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(owners), func(o metav1.OwnerReference) bool { return o.Kind != "Node" })
}
