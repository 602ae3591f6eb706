package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/insight"
)

func newEventsCommand() *cobra.Command {
	var at reach
	var as showing
	var all bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "List the last decisions: placed, held, refused, evicted, released",
		Long: `events lists the last thousand decisions of the leader, oldest first: which gang or pod
was placed, held before it was tried, refused, evicted for which other, or released
because it was bound by half. They are not kept when another leader takes over.

` + asksScheduler + `

Status: 0 if there is an answer, 2 if it could not look.`,
		Example: `  berthctl events
  berthctl events -A -w
  berthctl events -A -o json | jq '.events[] | select(.action=="Evicted")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			after, out := uint64(0), cmd.OutOrStdout()
			as.adds = true
			return as.ask(cmd, &at, func(s *scheduler) error {
				answer := &insight.Events{}
				if err := s.get(cmd.Context(), insight.EventsPath, url.Values{"after": {strconv.FormatUint(after, 10)}}, answer); err != nil {
					return err
				}
				first := after == 0
				after = answer.Last
				if !all {
					kept := answer.Events[:0]
					for _, e := range answer.Events {
						if e.Namespace == s.namespace {
							kept = append(kept, e)
						}
					}
					answer.Events = kept
				}
				if !first && len(answer.Events) == 0 {
					return nil
				}
				return as.print(out, answer, func(text *strings.Builder) { writeEvents(text, answer, first, as.wide()) })
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	as.addFlags(cmd.Flags())
	at.addFlags(cmd.Flags())
	return cmd
}

func writeEvents(text *strings.Builder, e *insight.Events, first, wide bool) {
	if len(e.Events) == 0 {
		text.WriteString("nothing was decided yet\n")
		return
	}
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	if first {
		fmt.Fprintln(table, "TIME\tACTION\tGANG\tREASON\tDECISION")
	}
	for _, one := range e.Events {
		sentence := one.Sentence
		if !wide {
			sentence = cut(sentence, 2*mostSentence)
		}
		fmt.Fprintf(table, "%s\t%s\t%s/%s\t%s\t%s\n", one.Time.Format("15:04:05"), one.Action, one.Namespace, one.Gang, cmp.Or(one.Reason, "-"), sentence)
	}
	_ = table.Flush()
}
