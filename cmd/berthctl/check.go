package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// standing is how a check came out.
type standing string

const (
	standingOK   standing = "OK"
	standingWarn standing = "WARN" // a risk, or what could not be looked at
	standingFail standing = "FAIL" // pods wait, or are placed wrongly, because of it
)

// finding is what one check found. The keys in JSON are part of what is promised.
type finding struct {
	Check    string   `json:"check"`
	Standing standing `json:"status"`
	Found    string   `json:"found"`
	// Do is what to do about it, "" where there is nothing.
	Do string `json:"do,omitempty"`
}

// inspected is a cluster that is looked at, and what Berth is called there.
type inspected struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	now     func() time.Time

	namespace, account    string
	leaseNamespace, lease string
}

// inspector returns the clients of a cluster.
type inspector func(connection) (kubernetes.Interface, dynamic.Interface, error)

// checkOptions are the flags of "check".
type checkOptions struct {
	output     string
	in         inspected
	connection connection
}

// checkRate is how many requests a second are sent: one for each right is asked for.
const checkRate = 200

// inspect returns clients by the rules of kubectl.
func inspect(to connection) (kubernetes.Interface, dynamic.Interface, error) {
	config, err := to.loader().ClientConfig()
	if err != nil {
		return nil, nil, err
	}
	config.Timeout, config.QPS, config.Burst = requestTimeout, checkRate, checkRate
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	objects, err := dynamic.NewForConfig(config)
	return kube, objects, err
}

func newCheckCommand(dial inspector) *cobra.Command {
	o := checkOptions{in: inspected{now: time.Now}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what of a cluster is missing for Berth, or risky",
		Long: `check looks at a cluster and says what is missing for Berth, or risky, and what to do:

  version     the API server's version, against the one that Berth is built on
  scheduler   the Deployments of Berth, and how many of their replicas are ready
  leader      who holds the Lease, and since when; other Leases of its name
  rights      each right of manifests/base, for the scheduler's service account
  queues      Queues that are not ready, and why
  levels      nodes with devices that lack a label that says where in the network they are
  devices     nodes whose device plugin does not run, or that have ill devices
  agents      nodes with devices of which no agent reports

It asks the API server alone and changes nothing. To look at everything takes list on
nodes, deployments, leases and queues, and create on subjectaccessreviews, as an
administrator has. What you may not look at is a WARN.

Status: 0 if no check says FAIL, 1 if one does, 2 if it could not look. JSON is one line:

  {"checks":[{"check":"leader","status":"FAIL","found":"..","do":".."},..]}`,
		Example: `  berthctl check
  berthctl check -o json | jq '.checks[] | select(.status != "OK")'

  # as the chart installed it under another name
  berthctl check --scheduler-namespace gpu-scheduling --lease berth-b`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.output != outputTable && o.output != outputJSON {
				return fmt.Errorf("--output must be %s or %s, got %q", outputTable, outputJSON, o.output)
			}
			var err error
			if o.in.kube, o.in.dynamic, err = dial(o.connection); err != nil {
				return fmt.Errorf("no cluster to look at: %w; give --kubeconfig", err)
			}
			found, err := o.in.check(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), found)
		},
	}
	cmd.Flags().SortFlags = false
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", outputTable, "table or json")
	flags.StringVar(&o.in.namespace, "scheduler-namespace", "berth-system", "namespace of the scheduler's service account")
	flags.StringVar(&o.in.account, "service-account", "berth", "name of the scheduler's service account")
	flags.StringVar(&o.in.lease, "lease", "berth", "name of the Lease that the leader holds")
	flags.StringVar(&o.in.leaseNamespace, "lease-namespace", "kube-system", "namespace of that Lease")
	o.connection.addFlags(flags)
	return cmd
}

// check makes all checks, in the order in which they are shown. It fails if the cluster does
// not answer at all; what cannot be looked at otherwise is a finding.
func (in inspected) check(ctx context.Context) ([]finding, error) {
	version, err := in.version(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its version: %w", err)
	}
	found := []finding{version, in.scheduler(ctx), in.leader(ctx), in.rights(ctx), in.queues(ctx)}
	found = append(found, in.nodes(ctx)...)
	return found, ctx.Err()
}

// print prints what was found. It returns errNone if something does not work.
func (o checkOptions) print(out io.Writer, found []finding) error {
	var err error
	if o.output == outputJSON {
		err = writeLine(out, struct {
			Checks []finding `json:"checks"`
		}{found})
	} else {
		err = writeFindings(out, found)
	}
	if err == nil && slices.ContainsFunc(found, func(f finding) bool { return f.Standing == standingFail }) {
		return errNone
	}
	return err
}

// writeFindings prints a line for each check, and below it what to do.
func writeFindings(out io.Writer, found []finding) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tSTATUS\tFOUND")
	for _, f := range found {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Check, f.Standing, f.Found)
		if f.Do != "" {
			fmt.Fprintf(table, "\t\tdo: %s\n", f.Do)
		}
	}
	return table.Flush()
}

// unseen is the finding of a check that could not look.
func unseen(check string, err error, do string) finding {
	return finding{check, standingWarn, "not looked at: " + err.Error(), do}
}

// named lists names, the first few of many.
func named(names []string) string {
	const shown = 5
	names = slices.Sorted(slices.Values(names))
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
