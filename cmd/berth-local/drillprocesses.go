package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

func newSlowAPICommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	var stop, period time.Duration
	cmd := &cobra.Command{
		Use:   "slow-api",
		Short: "Have the API server answer late",
		Long: `slow-api stops kube-apiserver again and again, by signals, so that what is asked meanwhile
is answered late. It is not slow for the time in between. --undo is for when the drill was
killed and left it stopped.`,
		Example: `  # half of the time it does nothing
  berth-local drill slow-api --stop 500ms --period 1s --duration 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case stop <= 0:
				return fmt.Errorf("--stop must be more than 0, as in 500ms, got %s", stop)
			case period <= stop:
				return fmt.Errorf("--period must be more than --stop, got %s and %s; to stop the API for good, see stop-etcd", period, stop)
			}
			what := fmt.Sprintf("kube-apiserver stops for %s in every %s", stop, period)
			return o.runProcess(cmd, what, func(cluster *localcluster.Running) drill.Fault { return drill.SlowAPI(cluster, stop, period) })
		},
	}
	cmd.Flags().DurationVar(&stop, "stop", 500*time.Millisecond, "for how long it stops each time")
	cmd.Flags().DurationVar(&period, "period", time.Second, "from one stop to the next")
	o.addTo(cmd, time.Minute)
	return cmd
}

func newStopEtcdCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	cmd := &cobra.Command{
		Use:   "stop-etcd",
		Short: "Stop etcd for a while, so that nothing can be written",
		Long: `stop-etcd stops etcd by a signal, as a full disk does or a lost quorum. Nothing can be
written until it goes on, and only what the API server has in its caches be read; nothing is
lost. --undo is for when the drill was killed and left it stopped.`,
		Example: `  berth-local drill stop-etcd --duration 20s`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.runProcess(cmd, "etcd is stopped", drill.StopEtcd)
		},
	}
	o.addTo(cmd, 30*time.Second)
	return cmd
}

// runProcess runs a drill of a process of the control plane, which needs no API.
func (o *drillOptions) runProcess(cmd *cobra.Command, what string, fault func(*localcluster.Running) drill.Fault) error {
	if o.undo && !cmd.Flags().Changed("duration") {
		o.duration = 0
	}
	if err := o.validate(); err != nil {
		return err
	}
	if o.duration == 0 && !o.undo {
		return fmt.Errorf("--duration must be more than 0, as in 30s")
	}
	cluster, err := localcluster.FindRunning(*o.dir)
	if err != nil {
		return err
	}
	return o.run(cmd, fault(cluster), what, nil)
}
