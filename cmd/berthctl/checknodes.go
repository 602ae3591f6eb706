package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// deviceLabels are on nodes that have devices, whether or not a device plugin runs there:
// feature discovery writes them, or whoever makes the nodes.
func deviceLabels() []string {
	return []string{"nvidia.com/gpu.count", "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "k8s.amazonaws.com/accelerator", "amd.com/gpu.product-name"}
}

// nodes looks at the nodes that have devices, or are labelled as if they had.
func (in inspected) nodes(ctx context.Context) []finding {
	with, total, err := in.deviceNodes(ctx)
	if err != nil {
		do := "ask as who may list nodes"
		return []finding{unseen("levels", err, do), unseen("devices", err, do), unseen("agents", err, do)}
	}
	if len(with) == 0 {
		return []finding{{"devices", standingWarn, fmt.Sprintf("none of %s has devices", count(total, "node")), "install the device plugin of your vendor; without devices, Berth schedules by CPU and memory"}}
	}
	return []finding{levels(with), devices(with), in.agents(ctx, with)}
}

// deviceNodes lists the nodes that have devices, and counts all.
func (in inspected) deviceNodes(ctx context.Context) (with []*corev1.Node, total int, err error) {
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return in.kube.CoreV1().Nodes().List(ctx, options)
	})
	err = pages.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		total++
		if node := object.(*corev1.Node); len(resourcesOf(node)) > 0 || labelledForDevices(node) {
			with = append(with, node)
		}
		return nil
	})
	return with, total, err
}

// resourcesOf returns the resources of a node's capacity that are devices, whole or parts.
func resourcesOf(node *corev1.Node) []corev1.ResourceName {
	var out []corev1.ResourceName
	for name, capacity := range node.Status.Capacity {
		whole := slices.Contains(device.DefaultNames(), name)
		part := strings.HasPrefix(string(name), "nvidia.com/mig-") || name == "nvidia.com/gpu.shared"
		if (whole || part) && !capacity.IsZero() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// labelledForDevices reports whether a label says that a node has devices.
func labelledForDevices(node *corev1.Node) bool {
	return slices.ContainsFunc(deviceLabels(), func(key string) bool {
		value, labelled := node.Labels[key]
		return labelled && value != "" && value != "0"
	})
}

// levels says which nodes lack a label that others have.
func levels(nodes []*corev1.Node) finding {
	const check = "levels"
	// The trees that any node has a label of; region and zone are of every cluster.
	var used []string
	for _, tree := range dialect.FabricTrees() {
		for _, key := range tree {
			if key == corev1.LabelTopologyRegion || key == corev1.LabelTopologyZone {
				continue
			}
			if slices.ContainsFunc(nodes, func(n *corev1.Node) bool { return n.Labels[key] != "" }) {
				used = append(used, key)
			}
		}
	}
	if len(used) == 0 {
		return finding{check, standingWarn, fmt.Sprintf("none of %s with devices has a label of a level, such as topology.kubernetes.io/rack", count(len(nodes), "node")),
			"label them, as docs/topology.md says: gangs that require a level have no place, and others are spread over the network"}
	}
	var lacking []string
	for _, node := range nodes {
		for _, key := range used {
			if node.Labels[key] == "" {
				lacking = append(lacking, node.Name+" ("+key+")")
				break
			}
		}
	}
	if len(lacking) > 0 {
		return finding{check, standingWarn, fmt.Sprintf("%d of %s with devices lack a label that others have: %s", len(lacking), count(len(nodes), "node"), named(lacking)),
			"label them: a gang that requires the level is not placed there"}
	}
	return finding{check, standingOK, fmt.Sprintf("%s with devices have %s", count(len(nodes), "node"), named(used)), ""}
}

// devices says which nodes give out fewer devices than they have.
func devices(nodes []*corev1.Node) finding {
	const check = "devices"
	var dead, bare, ill []string
	given := int64(0)
	for _, node := range nodes {
		resources := resourcesOf(node)
		if len(resources) == 0 {
			bare = append(bare, node.Name)
		}
		for _, name := range resources {
			has, gives := node.Status.Capacity[name], node.Status.Allocatable[name]
			given += gives.Value()
			switch {
			case gives.IsZero():
				dead = append(dead, fmt.Sprintf("%s (0 of %d %s)", node.Name, has.Value(), name))
			case gives.Cmp(has) < 0:
				ill = append(ill, fmt.Sprintf("%s (%d of %d %s)", node.Name, gives.Value(), has.Value(), name))
			}
		}
	}
	switch {
	case len(dead) > 0:
		return finding{check, standingFail, fmt.Sprintf("%s of %d give out no devices: %s", count(len(dead), "node"), len(nodes), named(dead)),
			"see whether the device plugin runs on them, and its log: nothing is placed there"}
	case len(bare) > 0:
		return finding{check, standingWarn, fmt.Sprintf("%s of %d are labelled as if they had devices, and report none: %s", count(len(bare), "node"), len(nodes), named(bare)),
			"see whether the device plugin runs on them; where a driver gives devices out by ResourceClaims instead, nothing"}
	case len(ill) > 0:
		return finding{check, standingWarn, fmt.Sprintf("%s of %d give out fewer devices than they have: %s", count(len(ill), "node"), len(nodes), named(ill)),
			"look at the devices: the plugin takes some for ill"}
	}
	return finding{check, standingOK, fmt.Sprintf("%s give out %d devices", count(len(nodes), "node"), given), ""}
}

// agents says of which nodes no agent reports, where it does of others.
func (in inspected) agents(ctx context.Context, nodes []*corev1.Node) finding {
	const check = "agents"
	topologies, err := listed[v1alpha1.NodeTopology](ctx, in.dynamic, nodeTopologies, "")
	switch {
	case apierrors.IsNotFound(err):
		return finding{check, standingOK, "the kind NodeTopology is not installed: devices are counted, and their links unknown", ""}
	case err != nil:
		return unseen(check, err, "ask as who may list "+nodeTopologies.GroupResource().String())
	case len(topologies) == 0:
		return finding{check, standingOK, "no agent reports: devices are counted, and their links unknown", ""}
	}
	reported := map[string]bool{}
	for _, t := range topologies {
		reported[t.Name] = notReady(t) == ""
	}
	var silent []string
	for _, node := range nodes {
		if !reported[node.Name] {
			silent = append(silent, node.Name)
		}
	}
	if len(silent) > 0 {
		return finding{check, standingWarn, fmt.Sprintf("of %d of %s with devices there is no report, or one that is not ready: %s", len(silent), count(len(nodes), "node"), named(silent)),
			"see whether the DaemonSet berth-agent runs there: links and ill devices are unknown"}
	}
	return finding{check, standingOK, fmt.Sprintf("there is a report of each of %s with devices", count(len(nodes), "node")), ""}
}
