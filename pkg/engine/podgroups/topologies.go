package podgroups

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
)

// NodeTopologies is the resource that says how the devices of nodes are linked.
var NodeTopologies = v1alpha1.GroupVersion.WithResource("nodetopologies")

// TopologySource takes NodeTopologies in for the fast path, while the server serves
// them. It keeps them as they are, for the drift check.
type TopologySource struct {
	dynamic dynamic.Interface
	fast    *fastpath.Path
	nodes   corelisters.NodeLister

	mu      sync.Mutex
	objects map[string]*v1alpha1.NodeTopology
}

func NewTopologySource(client dynamic.Interface, fast *fastpath.Path, nodes corelisters.NodeLister) *TopologySource {
	return &TopologySource{dynamic: client, fast: fast, nodes: nodes, objects: map[string]*v1alpha1.NodeTopology{}}
}

func (s *TopologySource) Source() KindSource {
	return KindSource{
		Informer: InformerOf(s.dynamic, NodeTopologies),
		Set:      s.set,
		Remove:   func(name types.NamespacedName) { s.remove(name.Name) },
		Drop: func() {
			for _, object := range s.List() {
				s.remove(object.Name)
			}
		},
	}
}

func (s *TopologySource) set(obj any) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok || !s.fast.UsesTopology() {
		return
	}
	object := &v1alpha1.NodeTopology{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
		// The definition does not let this be.
		klog.Background().Error(err, "A NodeTopology cannot be read; what was known of its node stays", "node", u.GetName())
		return
	}
	s.mu.Lock()
	s.objects[object.Name] = object
	s.mu.Unlock()
	s.fast.SetTopology(object, s.node(object.Name))
}

func (s *TopologySource) remove(name string) {
	s.mu.Lock()
	delete(s.objects, name)
	s.mu.Unlock()
	s.fast.DeleteTopology(name, s.node(name))
}

// node returns a node, nil if it is not there.
func (s *TopologySource) node(name string) *corev1.Node {
	node, err := s.nodes.Get(name)
	if err != nil {
		return nil
	}
	return node
}

// List returns all that are there.
func (s *TopologySource) List() []*v1alpha1.NodeTopology {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*v1alpha1.NodeTopology, 0, len(s.objects))
	for _, object := range s.objects {
		out = append(out, object)
	}
	return out
}
