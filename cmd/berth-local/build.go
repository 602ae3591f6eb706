package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/localcluster"
)

func newBuildCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the control plane, which the other commands do when they are absent",
		Long: `build builds etcd, kube-apiserver and kube-controller-manager at the versions that
go.tools.mod pins, unless they are there already. The other commands, and the
tests, do the same on first use; run it by itself where a build of several minutes would be in the
way, as within the time limit of go test. It prints the directory they are in.`,
		Example: `  berth-local build

  # somewhere else than bin/ in the repository
  berth-local build --dir ~/.cache/berth
  export BERTH_BIN=~/.cache/berth`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bin, err := localcluster.EnsureBinaries(cmd.Context(), dir, func(sentence string) {
				fmt.Fprintln(cmd.ErrOrStderr(), sentence)
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), bin)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory for the binaries (default: $BERTH_BIN, else bin/ in the repository)")
	return cmd
}
