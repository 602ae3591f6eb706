package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/agent"
	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/agent/nvml"
	"github.com/berth-dev/berth/pkg/agent/podresources"
	"github.com/berth-dev/berth/pkg/release"
)

// options are the flags, as they were given.
type options struct {
	nodeName           string
	kubeconfig         string
	resource           string
	podresourcesSocket string
	board              string
	boardProduct       string
	sysfs              string
	pollInterval       time.Duration
	resyncInterval     time.Duration
	metricsAddress     string
}

// nodeNameVariable is where a DaemonSet puts the name of the node.
const nodeNameVariable = "NODE_NAME"

func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "berth-agent",
		Short: "Reports how the GPUs of this node are linked, and who holds them",
		Long: `berth-agent runs on each node with GPUs and keeps one object up to date: the
NodeTopology (berth.dev/v1alpha1) with the name of the node. Its spec says which
GPUs there are and how each pair is linked: PCIe path, NVLinks, NUMA node, NVLink
domain. Its status says which GPU must not be given out and why, and which
container holds which, as the kubelet tells. The scheduler berth chooses nodes by it.

It reads the GPUs by NVML every minute, waits for errors that NVML tells of, and
asks the kubelet every --poll-interval. It writes only what has changed, and looks
every --resync-interval, a fifth more or less, whether the object is still right.

Without an NVML library and without an object from before, it writes nothing, so it
may run on any node. While the driver or the kubelet fails, what was found before
stays in the object, and its condition Ready is False with the reason.

To make it forget a GPU that was taken out, or an error of one that was repaired:
    kubectl delete nodetopology NODE
The object is made anew from what is there.

With --board, the file is read again every minute: taking a row and a column out of
it plays the loss of a GPU.

manifests/agent runs it on a cluster, as a DaemonSet.`,
		Example: `  # on a node, with a kubeconfig that may write its NodeTopology
  berth-agent --node-name gpu-17 --kubeconfig /etc/berth/agent.kubeconfig

  # without a GPU: play the machine of a matrix in the form of nvidia-smi topo -m
  nvidia-smi topo -m > board.txt    # on a machine that has some
  berth-agent --node-name node-00001 --kubeconfig berth.kubeconfig \
      --board board.txt --board-product "NVIDIA H100 80GB HBM3"

  # what was found
  kubectl get nodetopologies
  kubectl get nodetopology gpu-17 -o yaml`,
		Version:       release.Version(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.nodeName, "node-name", os.Getenv(nodeNameVariable), "name of the Node that this runs on (default: $"+nodeNameVariable+")")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the API server (default: the pod's service account)")
	flags.StringVar(&o.resource, "resource", "nvidia.com/gpu", "extended resource that counts the GPUs; its .shared form and the vendor's MIG resources count with it")
	flags.StringVar(&o.podresourcesSocket, "podresources-socket", podresources.DefaultSocket, "socket on which the kubelet says what containers hold")
	flags.StringVar(&o.board, "board", "", "file with a matrix in the form of nvidia-smi topo -m, to play instead of reading NVML")
	flags.StringVar(&o.boardProduct, "board-product", "NVIDIA H100 80GB HBM3", "with --board, the product that each GPU is")
	flags.StringVar(&o.sysfs, "sysfs", "/sys", "where sysfs is mounted, for NUMA nodes")
	flags.DurationVar(&o.pollInterval, "poll-interval", 5*time.Second, "how often to ask the kubelet; changes in between are one write")
	flags.DurationVar(&o.resyncInterval, "resync-interval", 10*time.Minute, "how often to compare the object with what it should be, +-20 %")
	flags.StringVar(&o.metricsAddress, "metrics-address", "127.0.0.1:9465", `where to serve /metrics and /healthz, in plain HTTP; "" for nowhere`)
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.AddGoFlag(logging.Lookup("v"))
	return cmd
}

// validate says which flag is wrong, and what to do.
func (o *options) validate() error {
	vendor, name, qualified := strings.Cut(o.resource, "/")
	switch {
	case o.nodeName == "":
		return fmt.Errorf("--node-name is missing: give the name of the Node that this runs on, or set $%s, as manifests/agent does", nodeNameVariable)
	case len(content.IsDNS1123Subdomain(o.nodeName)) > 0:
		return fmt.Errorf("--node-name=%q cannot be the name of a Node: %s", o.nodeName, strings.Join(content.IsDNS1123Subdomain(o.nodeName), "; "))
	case !qualified || vendor == "" || name == "":
		return fmt.Errorf("--resource=%q must be an extended resource, such as nvidia.com/gpu", o.resource)
	case !filepath.IsAbs(o.podresourcesSocket):
		return fmt.Errorf("--podresources-socket=%q must be an absolute path, as a rule %s", o.podresourcesSocket, podresources.DefaultSocket)
	case o.pollInterval < agent.MinPollInterval:
		return fmt.Errorf("--poll-interval=%s is too short: give at least %s", o.pollInterval, agent.MinPollInterval)
	case o.resyncInterval < agent.MinResyncInterval:
		return fmt.Errorf("--resync-interval=%s is too short for the API server of a large cluster: give at least %s", o.resyncInterval, agent.MinResyncInterval)
	}
	if o.metricsAddress != "" {
		if _, _, err := net.SplitHostPort(o.metricsAddress); err != nil {
			return fmt.Errorf("--metrics-address=%q must be host:port, such as 127.0.0.1:9465 or :9465: %w", o.metricsAddress, err)
		}
	}
	return nil
}

// hardware is what the flags say to read. A board is read once, so that a mistake in
// it ends the command.
func (o *options) hardware() (agent.Hardware, error) {
	if o.board != "" {
		b := &board.Board{File: o.board, Node: o.nodeName, Product: o.boardProduct, Clock: clock.RealClock{}}
		if _, err := b.Read(); err != nil {
			return nil, fmt.Errorf("--board: %w", err)
		}
		return b, nil
	}
	source, err := nvml.New(o.sysfs)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(o.sysfs); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--sysfs=%q is no directory: give where sysfs is mounted, as a rule /sys", o.sysfs)
	}
	return source, nil
}

// errKubeconfig says how to name an API server.
var errKubeconfig = errors.New("give --kubeconfig, or run in a pod with a service account, as manifests/agent does")
