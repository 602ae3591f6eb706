package operators

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// Karpenter is the autoscaler, with its provider whose machines are node objects alone. It is
// not in [All], for it makes nodes and no pods: its scenarios are those of [Autoscaling].
func Karpenter() Operator {
	return Operator{
		Title:       "Karpenter",
		Release:     localcluster.Release{Name: "karpenter", Module: "sigs.k8s.io/karpenter", Version: "v1.14.0", Package: "./kwok"},
		Definitions: []string{"pkg/apis/crds/*.yaml", "kwok/apis/crds/*.yaml"},
		// The machines that can be bought.
		Config: `[{
	"name": "eight", "architecture": "amd64", "operatingSystems": ["linux"],
	"offerings": [{"Price": 1, "Available": true, "Requirements": [
		{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
		{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["local-1"]}]}],
	"resources": {"cpu": "128", "memory": "2Ti", "ephemeral-storage": "1Ti", "nvidia.com/gpu": "8"}
}]`,
		Env: []string{"KUBECONFIG={{.Kubeconfig}}", "SYSTEM_NAMESPACE=kube-system", "KUBERNETES_MIN_VERSION=1.19.0-0"},
		Args: []string{"--instance-types-file-path={{.Config}}", "--disable-leader-election=true", "--metrics-port=0", "--health-probe-port=0",
			"--batch-max-duration=3s"},
	}
}

// Autoscaling returns the scenarios of what an autoscaler buys nodes for, by name.
func Autoscaling() (map[string][]Line, error) {
	const dir = "testdata/autoscaler"
	files, err := fs.Glob(testdata, dir+"/*.txt")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no scenarios in %s: %w", dir, err)
	}
	out := map[string][]Line{}
	for _, file := range files {
		text, err := testdata.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading scenarios of autoscalers: %w", err)
		}
		name := strings.TrimSuffix(path.Base(file), ".txt")
		for number, line := range slices.Collect(strings.Lines(string(text))) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				out[name] = append(out[name], Line{fmt.Sprintf("%s:%d", path.Base(file), number+1), line})
			}
		}
	}
	return out, nil
}
