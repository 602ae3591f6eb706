// Command berthctl shows what Berth sees and decides.
//
// It ends with status 0 if there is an answer, 1 if the answer is that there is none,
// and 2 if it could not look: a flag that is wrong, a file that cannot be read.
//
// Files: main.go (the command and its status), topo.go (flags and help of "topo"),
// machine.go (a machine from a file), cluster.go (one from the API), outcome.go (which
// devices, and what that is worth), json.go and picture.go (two ways to print it);
// snapshot.go (flags and help of "snapshot"), live.go (the objects of a cluster); plan.go
// (flags and help of "plan"), gang.go (a gang from a file), decide.go (where it goes),
// table.go (two ways to print that); reach.go (the way to a running scheduler), show.go (how
// its answers are shown), why.go and whytable.go (flags, help and words of "why"), gangs.go,
// queues.go, top.go, events.go (those of the same names); tunnel.go (the way to a pod), ui.go and
// uiproxy.go (the page of "ui", and who gets it); check.go (flags, help and table of "check"),
// checkcluster.go, checkrights.go and checknodes.go (what it looks at).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The statuses that berthctl ends with.
const (
	statusAnswer = 0
	statusNone   = 1
	statusFailed = 2
)

// errNone says that there is no answer, and that the output has said why.
var errNone = errors.New("the answer is that there is none")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, newCommand(connect), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run executes the command with these arguments and returns its status.
func run(ctx context.Context, cmd *cobra.Command, args []string, in io.Reader, out, log io.Writer) int {
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(out)
	cmd.SetErr(log)
	switch err := cmd.ExecuteContext(ctx); {
	case err == nil:
		return statusAnswer
	case errors.Is(err, errNone):
		return statusNone
	default:
		fmt.Fprintln(log, "berthctl:", err)
		return statusFailed
	}
}

// newCommand is berthctl with its subcommands, which reach a cluster by dial.
func newCommand(dial dialer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "berthctl",
		Short: "Show what Berth, a scheduler for GPU clusters, sees and decides",
		Long: `berthctl shows what Berth, a scheduler for GPU clusters, sees and decides. It
changes nothing.

why, gangs, queues, top, events and ui ask the scheduler that runs. plan and snapshot
decide as it would, here. topo is about the GPUs of one machine, and check about what a
cluster lacks. As kubectl-berth in the PATH, it is "kubectl berth".

It ends with status 0 if there is an answer, 1 if the answer is that there is
none, and 2 if it could not look.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(newWhyCommand(), newGangsCommand(), newQueuesCommand(), newTopCommand(), newEventsCommand(), newUICommand(),
		newTopoCommand(dial), newPlanCommand(dial), newSnapshotCommand(dial), newCheckCommand(inspect))
	// As a plugin of kubectl it is called what the user types.
	if name := filepath.Base(os.Args[0]); strings.HasPrefix(name, "kubectl-") {
		cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl " + strings.TrimPrefix(name, "kubectl-")}
	}
	return cmd
}
