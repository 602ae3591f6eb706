package agent

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// FieldManager is the name under which the agent applies.
const FieldManager = "berth-agent"

// Topologies reads and applies NodeTopologies. A dynamic client's resource is one.
type Topologies interface {
	Getter
	Apply(ctx context.Context, name string, object *unstructured.Unstructured, options metav1.ApplyOptions, subresources ...string) (*unstructured.Unstructured, error)
}

// Getter reads objects of one kind. A dynamic client's resource is one.
type Getter interface {
	Get(ctx context.Context, name string, options metav1.GetOptions, subresources ...string) (*unstructured.Unstructured, error)
}

// errGone says that the object was deleted.
var errGone = errors.New("it was deleted; it is made anew")

// publisher keeps one NodeTopology of the API server as it is told, and writes only
// what has changed. It is not safe for concurrent use.
type publisher struct {
	node       string
	topologies Topologies
	nodes      Getter
	metrics    *metrics

	// owner is the Node's UID, asked for once for each life of the object.
	owner types.UID
	// uid is the object's.
	uid types.UID
	// spec and status are what the API server has, as far as one knows; "" if it has none.
	spec, status document
}

// load returns the object as it is on the API server; nil if there is none.
func (p *publisher) load(ctx context.Context) (*v1alpha1.NodeTopology, error) {
	object, err := p.topologies.Get(ctx, p.node, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		p.forget()
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading NodeTopology %q: %w", p.node, err)
	}
	topology, err := decode(object)
	if err != nil {
		return nil, err
	}
	spec, err := specDocument(topology)
	if err != nil {
		return nil, err
	}
	status, err := statusDocument(topology)
	if err != nil {
		return nil, err
	}
	p.uid, p.spec, p.status = topology.UID, spec, status
	return topology, nil
}

// publish writes what differs from what the API server has. It fails with errGone if
// the object was deleted since.
func (p *publisher) publish(ctx context.Context, topology *v1alpha1.NodeTopology) error {
	if p.owner == "" {
		node, err := p.nodes.Get(ctx, p.node, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("there is no Node %q to report for; --node-name must be that of the node that this runs on", p.node)
		}
		if err != nil {
			return fmt.Errorf("reading Node %q: %w", p.node, err)
		}
		p.owner = node.GetUID()
	}
	topology = topology.DeepCopy()
	topology.OwnerReferences = []metav1.OwnerReference{nodeOwner(p.node, p.owner)}
	spec, err := specDocument(topology)
	if err != nil {
		return err
	}
	status, err := statusDocument(topology)
	if err != nil {
		return err
	}
	if spec != p.spec {
		written, err := p.apply(ctx, ofSpec, spec)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("applying NodeTopology %q: the API server does not know the kind; apply manifests/crds: %w", p.node, err)
		}
		if err != nil {
			return fmt.Errorf("applying NodeTopology %q: %w", p.node, err)
		}
		if p.uid != written.GetUID() { // it is new, and has no status yet
			p.uid, p.status = written.GetUID(), ""
		}
		p.spec = spec
	}
	if status != p.status {
		_, err := p.apply(ctx, ofStatus, status, "status")
		if apierrors.IsNotFound(err) {
			p.forget()
			return fmt.Errorf("applying the status of NodeTopology %q: %w", p.node, errGone)
		}
		if err != nil {
			return fmt.Errorf("applying the status of NodeTopology %q: %w", p.node, err)
		}
		p.status = status
	}
	return nil
}

func (p *publisher) apply(ctx context.Context, part string, d document, subresources ...string) (*unstructured.Unstructured, error) {
	object, err := d.object()
	if err != nil {
		return nil, err
	}
	// By force: what the agent says about its node, nobody else says better.
	written, err := p.topologies.Apply(ctx, p.node, object, metav1.ApplyOptions{FieldManager: FieldManager, Force: true}, subresources...)
	p.metrics.applies.WithLabelValues(part, result(err)).Inc()
	return written, err
}

// forget is for an object that is gone. Its Node may be another by now.
func (p *publisher) forget() { p.owner, p.uid, p.spec, p.status = "", "", "", "" }
