package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/insight"
)

func newGangsCommand() *cobra.Command {
	var at reach
	var as showing
	var all bool
	var queue, state string
	cmd := &cobra.Command{
		Use:   "gangs",
		Short: "List gangs and plain pods, those that wait first, with the reason",
		Long: `gangs lists the gangs and plain pods that Berth places: those that wait first, each with
its typed reason. -o wide has the whole sentence.

` + asksScheduler + `

Status: 0 if there is an answer, 2 if it could not look.`,
		Example: `  berthctl gangs
  berthctl gangs -A --state Pending
  berthctl gangs -A --queue research -o wide
  berthctl gangs -A -o json | jq -r '.gangs[] | select(.reason=="QueueAtLimit") | .name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return as.ask(cmd, &at, func(s *scheduler) error {
				query := url.Values{"queue": {queue}, "state": {state}}
				if !all {
					query.Set("namespace", s.namespace)
				}
				answer := &insight.Gangs{}
				if err := s.get(cmd.Context(), insight.GangsPath, query, answer); err != nil {
					return err
				}
				return as.print(cmd.OutOrStdout(), answer, func(text *strings.Builder) { writeGangs(text, answer, narrowed(query), as.wide()) })
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().StringVar(&queue, "queue", "", "of this queue alone")
	cmd.Flags().StringVar(&state, "state", "", insight.Pending+" or "+insight.Placed+" alone")
	as.addFlags(cmd.Flags())
	at.addFlags(cmd.Flags())
	return cmd
}

// mostSentence is how much of a sentence a table has.
const mostSentence = 70

// narrowed says which gangs were asked for; empty for all.
func narrowed(query url.Values) string {
	var parts []string
	for _, by := range []string{"namespace", "queue", "state"} {
		if value := query.Get(by); value != "" {
			parts = append(parts, by+" "+value)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	out := " in " + strings.Join(parts, ", ")
	if query.Has("namespace") {
		out += "; -A lists those of all namespaces"
	}
	return out
}

// writeGangs shows gangs to a person. which says what was asked for, if it is not all.
func writeGangs(text *strings.Builder, g *insight.Gangs, which string, wide bool) {
	if len(g.Gangs) == 0 {
		fmt.Fprintf(text, "there are no gangs or pods that Berth places%s\n", which)
		return
	}
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tGANG\tSTATE\tPODS\tQUEUE\tAGE\tREASON\tWHY")
	for i := range g.Gangs {
		one := &g.Gangs[i]
		name, sentence := one.Name, one.Sentence
		if one.Pod {
			name += " (pod)"
		}
		if !wide {
			sentence = cut(sentence, mostSentence)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\n", one.Namespace, name, one.State, one.Pods.Bound, cmp.Or(one.Pods.Needed, one.Pods.Total),
			cmp.Or(one.Queue, "-"), age(one.Created, g.Time), cmp.Or(one.Reason, "-"), sentence)
	}
	_ = table.Flush()
	if g.LeftOut > 0 {
		fmt.Fprintf(text, "and %d more; narrow the list with -n, --queue or --state\n", g.LeftOut)
	}
}
