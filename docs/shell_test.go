package docs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/docs"
)

func TestInvocations(t *testing.T) {
	tests := []struct{ name, language, text, want string }{
		{"comment and continuation", "sh", "make demo \\\n  NODES=3  # small\n# no command\n", "make demo NODES=3"},
		{"pipeline", "sh", "nvidia-smi topo -m | berthctl topo - -k 4\n", "nvidia-smi topo -m; berthctl topo - -k 4"},
		{"quotes", "sh", `echo "a # b" 'c | d'` + "\n", "echo a # b c | d"},
		{"redirection and variable", "sh", "KEY=1 bin/berthctl top > out\nKEY=2\n", "berthctl top"},
		{"as a plugin", "sh", "kubectl berth why train\n", "berthctl why train"},
		{"go run", "sh", "go run ./cmd/berth-local up --nodes 3\n", "./cmd/berth-local up --nodes 3"},
		{"prompt with output", "console", "$ berthctl top\nDOMAIN USED\n", "berthctl top"},
		{"no shell", "yaml", "make demo\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, i := range (docs.Block{Language: test.language, Text: test.text}).Invocations() {
				got = append(got, strings.Join(append([]string{i.Program}, i.Args...), " "))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPages(t *testing.T) {
	page := docs.Page{Path: "docs/a.md", Text: "# One `two`: 3\n<a id=\"x\"></a>\n```sh\n# no heading\n[no](link)\n```\n[a](b.md#c) [web](https://x) ![p](images/p.png)\n"}
	if diff := cmp.Diff(map[string]bool{"one-two-3": true, "x": true}, page.Anchors()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]docs.Link{{At: "docs/a.md:7", Path: "docs/b.md", Anchor: "c"}, {At: "docs/a.md:7", Path: "docs/images/p.png"}}, page.Links()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]docs.Block{{At: "docs/a.md:4", Language: "sh", Text: "# no heading\n[no](link)\n"}}, page.Blocks()); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	command := func() *cobra.Command {
		run := func(*cobra.Command, []string) error { return errors.New("it was run") }
		root := &cobra.Command{Use: "boat", Args: cobra.NoArgs}
		sail := &cobra.Command{Use: "sail PORT", Args: cobra.ExactArgs(1), RunE: run}
		sail.Flags().Int("knots", 0, "")
		root.AddCommand(sail)
		return root
	}
	tests := []struct{ args, want string }{
		{"sail home --knots 3", ""},
		{"sail --help", ""},
		{"sail home --not", "unknown flag: --not"},
		{"sail home --knots many", "invalid argument"},
		{"sail", "accepts 1 arg(s)"},
		{"row home", "no subcommand"},
	}
	for _, test := range tests {
		err := docs.Check(command(), strings.Fields(test.args))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("boat %s: got %v, want %q", test.args, err, test.want)
		}
	}
}
