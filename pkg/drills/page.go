package drills

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
)

//go:embed page.md
var pageText string

// WritePage writes the report as Markdown.
func (r *Report) WritePage(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{"seconds": seconds, "cell": cell, "verdict": verdict}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("parsing the page: %w", err)
	}
	err = page.Execute(w, struct {
		*Report
		Missing                                       []string
		Zones, Nodes, Racks, Spare, Gangs, Size, GPUs int
		HalfBoundLimit                                time.Duration
	}{r, Missing(), zones, nodeCount, nodeCount / rackSize, nodeCount/rackSize - gangs, gangs, gangSize, nodeGPUs, HalfBoundLimit})
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// seconds writes a time, or that there was none.
func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// cell writes a text that may be in a list or a table.
func cell(text string) string {
	return strings.NewReplacer("\n", " ", "|", "\\|", "<", "&lt;", ">", "&gt;").Replace(text)
}

// verdict says whether the drill ended as it should.
func verdict(o Outcome) string {
	if wrong := o.wrong(); wrong != "" {
		return "**" + cell(wrong) + "**"
	}
	return "hold"
}
