package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/berth-dev/berth/pkg/insight"
)

// writeWhy shows an answer to a person: what decides, what would help, and what else is in
// the way.
func writeWhy(text *strings.Builder, look style, w *insight.Why, wide bool) {
	kind := "gang"
	if w.Pod {
		kind = "pod"
	}
	fmt.Fprintf(text, "%s %s\n", kind, look.in(bold, w.Namespace+"/"+w.Name))
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	least := count(w.Pods.Needed, "needed pod")
	if w.Pods.Needed == 0 { // what it says of its size makes no sense
		least = count(w.Pods.Total, "pod")
	}
	fmt.Fprintf(table, "  state\t%s, %d of %s bound, %s old\n", w.State, w.Pods.Bound, least, age(w.Created, w.Time))
	if w.Queue != "" {
		fmt.Fprintf(table, "  queue\t%s\n", where(w))
	}
	if w.Ends != nil {
		fmt.Fprintf(table, "  ends\t%s at the latest\n", w.Ends.Format("2006-01-02 15:04 MST"))
	}
	if l := w.Line; l != nil && len(l.Ahead) > 0 {
		var names []string
		for _, a := range l.Ahead {
			names = append(names, a.Name)
		}
		if few := 3; len(names) > few && !wide {
			names = append(names[:few], "..")
		}
		fmt.Fprintf(table, "  ahead\t%s\n", strings.Join(names, ", "))
	}
	_ = table.Flush() // the builder takes whatever it is given
	if len(w.Blockers) == 0 && w.State == insight.Pending {
		fmt.Fprintf(text, "\n%s: %s\n", w.Reason, w.Sentence)
	}
	for i, b := range w.Blockers {
		also := ""
		if i > 0 {
			also = "and then "
		}
		fmt.Fprintf(text, "\n%s%s\n  %s\n", also, look.in(slow, b.Reason), b.Sentence)
		if wide || len(b.Levels) > 1 {
			for _, l := range b.Levels {
				fmt.Fprintf(text, "  %s: %s\n", cmp.Or(l.Level, "the whole cluster"), l.Sentence)
			}
		}
		if len(b.Unblocks) > 0 {
			text.WriteString("  unblocked when\n")
		}
		for j, u := range b.Unblocks {
			or := "    "
			if j > 0 {
				or = " or "
			}
			fmt.Fprintf(text, "  %s%s\n", or, look.in(fast, u.Sentence))
			if wide {
				for _, g := range u.Gangs {
					fmt.Fprintf(text, "        %s, %s%s\n", g.Name, count(g.Pods, "pod"), of(g.Queue))
				}
				if len(u.Nodes) > 3 {
					fmt.Fprintf(text, "        %s\n", strings.Join(u.Nodes, " "))
				}
			}
		}
		switch {
		case b.Hopeless && len(b.Unblocks) > 0:
			text.WriteString("  no gang that ends helps\n")
		case b.Hopeless:
			text.WriteString("  no gang that ends helps, and no node like those that there are\n")
		}
	}
	for _, remark := range w.Remarks {
		fmt.Fprintf(text, "\nremark  %s\n", remark)
	}
}

// of names a queue.
func of(queue string) string {
	if queue == "" {
		return ""
	}
	return " of queue " + queue
}

// where says where it is in its queue.
func where(w *insight.Why) string {
	l := w.Line
	if l == nil {
		return w.Queue
	}
	out := cmp.Or(strings.Join(l.Path, " > "), l.Queue)
	if l.Position > 0 {
		out += fmt.Sprintf(", number %d of %d that wait", l.Position, l.Waiting)
	}
	return out
}
