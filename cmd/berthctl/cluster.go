package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
)

// connection is which cluster, by the rules of kubectl.
type connection struct {
	kubeconfig string
	context    string
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster to read from (default: $KUBECONFIG, else ~/.kube/config, else the service account of a pod)")
	flags.StringVar(&c.context, "context", "", "context of the kubeconfig (default: its current one)")
}

// dialer returns a client of a cluster.
type dialer func(connection) (dynamic.Interface, error)

// requestTimeout is how long the API server may take to answer.
const requestTimeout = 30 * time.Second

// loader reads the configuration of clients by the rules of kubectl.
func (c *connection) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
}

// connect returns a client by the rules of kubectl.
func connect(to connection) (dynamic.Interface, error) {
	config, err := to.loader().ClientConfig()
	if err != nil {
		return nil, err
	}
	config.Timeout = requestTimeout
	return dynamic.NewForConfig(config)
}

// nodeTopologies is the resource that is read.
var nodeTopologies = v1alpha1.GroupVersion.WithResource("nodetopologies")

// readNode reads the NodeTopology of a node.
func readNode(ctx context.Context, name string, dial dialer, at connection) (machine, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return machine{}, fmt.Errorf("%q is no file, and a node cannot have such a name; give a file with the output of nvidia-smi topo -m, - for standard input, or the name of a node", name)
	}
	client, err := dial(at)
	if err != nil {
		return machine{}, fmt.Errorf("%q is no file, and it cannot be read as the NodeTopology of a node without a cluster: %w; give a file that exists, or --kubeconfig", name, err)
	}
	found, err := client.Resource(nodeTopologies).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		// The answer to a path that the server does not have; an object that is not
		// there has a cause of another kind, or none.
		return machine{}, fmt.Errorf("%q is no file, and the cluster has no NodeTopologies at all: apply Berth's manifests, which define %s, or give a file that exists", name, nodeTopologies.GroupResource())
	case apierrors.IsNotFound(err):
		return machine{}, fmt.Errorf("%q is no file, and there is no NodeTopology of that name: see kubectl get %s for those there are, and whether Berth's agent runs on the node, or give a file that exists", name, nodeTopologies.GroupResource())
	case apierrors.IsForbidden(err):
		return machine{}, fmt.Errorf("%q is no file, and reading the NodeTopology of that name is not allowed; you need get on %s: %w", name, nodeTopologies.GroupResource(), err)
	case err != nil:
		return machine{}, fmt.Errorf("%q is no file; reading the NodeTopology of that name: %w", name, err)
	}
	object := &v1alpha1.NodeTopology{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, object); err != nil {
		return machine{}, fmt.Errorf("reading NodeTopology %q as %s: %w; is this berthctl as new as the cluster's definition?", name, v1alpha1.GroupVersion, err)
	}
	return nodeMachine(object)
}

// nodeMachine returns the machine that an object describes.
func nodeMachine(object *v1alpha1.NodeTopology) (machine, error) {
	read := device.ReadMachine(object)
	if read.Matrix.Devices == 0 {
		return machine{}, fmt.Errorf("NodeTopology %q has no devices in spec.devices, so there is nothing to choose from%s", object.Name, notReady(object))
	}
	m := machine{name: "node " + object.Name, matrix: read.Matrix, uuids: read.UUIDs, available: read.Whole & read.Healthy}
	for d := range m.matrix.Devices {
		m.numbers = append(m.numbers, d)
	}
	m.ratesFrom = ratesFrom(&object.Spec)
	say := func(set topology.Mask, format string, args ...any) {
		if set != 0 {
			m.remarks = append(m.remarks, list(m.named(set))+" "+fmt.Sprintf(format, args...))
		}
	}
	say(topology.All(m.matrix.Devices)&^read.Whole, "divided, not given out as a whole")
	for _, u := range object.Status.Unhealthy {
		say(read.Mask(u.UUID), "unhealthy: %s %s", u.Reason, u.Message)
	}
	for _, a := range object.Status.Allocations {
		set := read.Mask(a.Devices...)
		m.available &^= set
		say(set, "held by container %s of pod %s/%s", a.Container, a.Namespace, a.Pod)
	}
	if text := notReady(object); text != "" {
		m.remarks = append(m.remarks, "may be out of date"+text)
	}
	return m, nil
}

// ratesFrom says whose rates a node has.
func ratesFrom(spec *v1alpha1.NodeTopologySpec) string {
	product := spec.Devices[0].Product
	of := "those of " + product
	if _, known := topology.RatesOf(product); !known {
		of = fmt.Sprintf("those of an unknown machine, as its product is %q", product)
	}
	switch r := spec.Rates; {
	case r == nil || r.NVLink == 0 && r.PCIe == 0 && r.System == 0:
		return of
	case r.NVLink == 0 || r.PCIe == 0 || r.System == 0:
		return "those of spec.rates, and where these are missing " + of
	}
	return "those of spec.rates"
}

// notReady says what the condition Ready says, if that is not true.
func notReady(object *v1alpha1.NodeTopology) string {
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return ""
	}
	return fmt.Sprintf("; its condition Ready is %s, %s: %s", ready.Status, ready.Reason, ready.Message)
}
