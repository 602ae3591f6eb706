package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

func newQueuesCommand() *cobra.Command {
	var at reach
	var as showing
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "Show the tree of queues: what each may have, has, and who is next",
		Long: `queues shows the tree of queues, a line for each resource: what a queue is guaranteed,
its limit, its fair share now, what it uses and what of that it borrows, what those ask
for that wait, and who is next.

` + asksScheduler + `

Status: 0 if there is an answer, 2 if it could not look.`,
		Example: `  berthctl queues
  berthctl queues -w
  berthctl queues -o wide                # and why the next ones wait
  berthctl queues -o json | jq '.queues[] | {name, pending}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return as.ask(cmd, &at, func(s *scheduler) error {
				answer := &insight.Queues{}
				if err := s.get(cmd.Context(), insight.QueuesPath, nil, answer); err != nil {
					return err
				}
				return as.print(cmd.OutOrStdout(), answer, func(text *strings.Builder) { writeQueues(text, answer, as.wide()) })
			})
		},
	}
	cmd.Flags().SortFlags = false
	as.addFlags(cmd.Flags())
	at.addFlags(cmd.Flags())
	return cmd
}

// quantity writes an amount of a resource as Kubernetes does.
func quantity(name string, amount int64) string {
	q := queueing.QuantityOf(corev1.ResourceName(name), quota.Amount(amount))
	return q.String()
}

func writeQueues(text *strings.Builder, q *insight.Queues, wide bool) {
	if len(q.Queues) == 0 {
		text.WriteString("there are no queues: nobody waits for a turn, and nothing has a limit\n")
		return
	}
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tRESOURCE\tGUARANTEE\tLIMIT\tSHARE\tUSED\tBORROWED\tASKED\tRUNNING\tPENDING\tNEXT")
	for i := range q.Queues {
		one := &q.Queues[i]
		name, next := strings.Repeat("  ", one.Depth)+one.Name, "-"
		if n := one.Next; n != nil {
			if next = fmt.Sprintf("%s, %s", n.Gang, n.Reason); wide {
				next += ": " + n.Sentence
			}
		}
		if one.Fault != "" {
			next = "faulty: " + one.Fault
		}
		running, pending := strconv.Itoa(one.Running), strconv.Itoa(one.Pending)
		if one.Refused > 0 {
			pending += fmt.Sprintf(" (%d refused)", one.Refused)
		}
		if len(one.Resources) == 0 {
			fmt.Fprintf(table, "%s\t-\t-\t-\t-\t-\t-\t-\t%s\t%s\t%s\n", name, running, pending, next)
		}
		for j, r := range one.Resources {
			limit := "-"
			if r.Limit != nil {
				limit = quantity(r.Resource, *r.Limit)
			}
			if j > 0 {
				name, running, pending, next = "", "", "", ""
			}
			n := func(amount int64) string { return quantity(r.Resource, amount) }
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, r.Resource, n(r.Guaranteed), limit, n(r.Share), n(r.Used), n(r.Borrowed), n(r.Asked), running, pending, next)
		}
	}
	_ = table.Flush()
}
