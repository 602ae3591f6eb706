package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/insight"
)

func newTopCommand() *cobra.Command {
	var at reach
	var as showing
	var level string
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show how full the racks are, a cell for each node",
		Long: `top shows how full the domains of a level are: a line for each rack, and in it a cell
for each node by how many of its GPUs are taken:

  .  none    -  up to half    +  more    #  all    x  cordoned or not ready    _  has none

On a terminal the cells are coloured. With -w it is live.

` + asksScheduler + `

Status: 0 if there is an answer, 2 if it could not look.`,
		Example: `  berthctl top
  berthctl top -w
  berthctl top --level topology.kubernetes.io/block
  berthctl top -o json | jq '.domains[] | select(.idle>=4) | .name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			return as.ask(cmd, &at, func(s *scheduler) error {
				answer := &insight.Top{}
				if err := s.get(cmd.Context(), insight.TopPath, url.Values{"level": {level}, "nodes": {"true"}}, answer); err != nil {
					return err
				}
				return as.print(out, answer, func(text *strings.Builder) { writeTop(text, styleOf(out), answer) })
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&level, "level", "", "node label key of the level (default: the narrowest that nodes have)")
	as.addFlags(cmd.Flags())
	at.addFlags(cmd.Flags())
	return cmd
}

// unlabelled is what nodes are under that have no label of the level.
const unlabelled = "(no label)"

// cellsInLine is how many nodes are in one line of the picture.
const cellsInLine = 64

func writeTop(text *strings.Builder, look style, top *insight.Top) {
	width := len("DOMAIN")
	var devices, free int64
	nodes, idle := 0, 0
	for i := range top.Domains {
		d := &top.Domains[i]
		width = max(width, utf8.RuneCountInString(cmp.Or(d.Name, unlabelled)))
		devices, free, nodes, idle = devices+d.Devices, free+d.Free, nodes+d.Nodes, idle+d.Idle
	}
	fmt.Fprintf(text, "%s: %d of %d GPUs free on %s, %d idle\n\n", cmp.Or(top.Level, "the cluster"), free, devices, count(nodes, "node"), idle)
	fmt.Fprintf(text, "%-*s  %5s  %11s  %5s  %s\n", width, "DOMAIN", "USED", "FREE/ALL", "IDLE", "NODES")
	for i := range top.Domains {
		d := &top.Domains[i]
		used := "-"
		if d.Devices > 0 {
			used = fmt.Sprintf("%d%%", (d.Devices-d.Free)*100/d.Devices)
		}
		fmt.Fprintf(text, "%-*s  %5s  %11s  %5d  ", width, cmp.Or(d.Name, unlabelled), used, fmt.Sprintf("%d/%d", d.Free, d.Devices), d.Idle)
		for j := range d.PerNode {
			if j > 0 && j%cellsInLine == 0 {
				fmt.Fprintf(text, "\n%*s", width+2+5+2+11+2+5+2, "")
			}
			text.WriteString(cellOf(look, &d.PerNode[j]))
		}
		text.WriteString("\n")
	}
}

// cellOf shows a node.
func cellOf(look style, n *insight.TopNode) string {
	used := n.Devices - n.Free
	switch {
	case n.Closed:
		return look.in(faint, "x")
	case n.Devices == 0:
		return look.in(faint, "_")
	case used == 0:
		return look.in(fast, ".")
	case 2*used <= n.Devices:
		return look.in(near, "-")
	case used < n.Devices:
		return look.in(near, "+")
	}
	return look.in(slow, "#")
}
