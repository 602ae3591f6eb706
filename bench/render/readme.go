package main

import (
	"fmt"
	"io"
	"os"

	"github.com/berth-dev/berth/bench/report"
)

// fill fills the tables of the README, or says whether they are stale.
func (o *options) fill(out io.Writer) error {
	r, err := report.Read(o.report)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.readme)
	if err != nil {
		return fmt.Errorf("reading %q: %w", o.readme, err)
	}
	fresh, err := r.FillTables(string(text))
	if err != nil {
		return fmt.Errorf("filling the tables of %q: %w", o.readme, err)
	}
	switch {
	case fresh == string(text):
		fmt.Fprintf(out, "up to date: %s\n", o.readme)
		return nil
	case o.check:
		return fmt.Errorf("the tables of %s are not those of %s: run go run ./bench/render --report %s --readme %s", o.readme, o.report, o.report, o.readme)
	}
	if err := os.WriteFile(o.readme, []byte(fresh), 0o644); err != nil {
		return fmt.Errorf("writing %q: %w", o.readme, err)
	}
	fmt.Fprintln(out, "written:", o.readme)
	return nil
}
