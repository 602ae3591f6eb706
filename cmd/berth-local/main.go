// Command berth-local runs a Kubernetes control plane with simulated GPU nodes
// on this machine, to try Berth without a cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "berth-local:", err)
		stop()
		os.Exit(1)
	}
}

// newCommand is berth-local with its subcommands, one file each.
func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "berth-local",
		Short: "A Kubernetes control plane with simulated GPU nodes, on this machine",
		Long: `berth-local runs etcd and kube-apiserver as processes of this machine, adds
simulated GPU nodes, and stands in for their kubelets: pods that are bound
become Running, and Succeeded after the time that they ask for. It needs no
container runtime, no cluster and no GPU.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(newUpCommand())
	cmd.AddCommand(newBuildCommand())
	cmd.AddCommand(newDemoCommand())
	cmd.AddCommand(newDrillCommand())
	return cmd
}
