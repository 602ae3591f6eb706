// Command berth-agent reports the devices of the node that it runs on: how they are
// linked, what is wrong with them, and who holds them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "berth-agent:", err)
		stop()
		os.Exit(1)
	}
}
