package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// levels are the kinds of domains that nodes are in, with their label keys.
var levels = []struct{ name, label string }{
	{"rack", localcluster.RackLabel},
	{"block", localcluster.BlockLabel},
	{"zone", v1.LabelTopologyZone},
}

// Levels are the names of the levels that NodesIn takes.
func Levels() []string {
	var names []string
	for _, l := range levels {
		names = append(names, l.name)
	}
	return names
}

// NodesNamed returns the names given, each once, or says which node there is not.
func NodesNamed(ctx context.Context, client kubernetes.Interface, names []string) ([]string, error) {
	all, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	known := make([]string, len(all.Items))
	for i := range all.Items {
		known[i] = all.Items[i].Name
	}
	slices.Sort(known)
	for _, name := range names {
		if _, found := slices.BinarySearch(known, name); !found {
			return nil, fmt.Errorf("there is no node %q; the cluster has %s", name, some(known, "node", "nodes"))
		}
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// NodesIn returns the nodes in a domain, such as rack rack-0001, or says which domains there
// are.
func NodesIn(ctx context.Context, client kubernetes.Interface, level, domain string) ([]string, error) {
	i := slices.IndexFunc(levels, func(l struct{ name, label string }) bool { return l.name == level })
	if i < 0 {
		return nil, fmt.Errorf("there is no level %q; name one of %s", level, strings.Join(Levels(), ", "))
	}
	all, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	var in, domains []string
	for j := range all.Items {
		switch name := all.Items[j].Labels[levels[i].label]; name {
		case "":
		case domain:
			in = append(in, all.Items[j].Name)
		default:
			domains = append(domains, name)
		}
	}
	if len(in) == 0 {
		slices.Sort(domains)
		return nil, fmt.Errorf("no node is in %s %q; the cluster has %s", level, domain, some(slices.Compact(domains), level, level+"s"))
	}
	slices.Sort(in)
	return in, nil
}

// some names a few of many.
func some(names []string, one, many string) string {
	const most = 4
	switch n := len(names); {
	case n == 0:
		return "no " + one
	case n == 1:
		return "one " + one + ", " + names[0]
	case n <= most:
		return fmt.Sprintf("%d %s: %s", n, many, strings.Join(names, ", "))
	default:
		return fmt.Sprintf("%d %s, %s to %s", n, many, names[0], names[n-1])
	}
}
