package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/docs"
	"github.com/berth-dev/berth/pkg/engine"
	"github.com/berth-dev/berth/pkg/engine/measure"
)

const root = ".."

func read(t *testing.T) []docs.Page {
	t.Helper()
	pages, err := docs.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// invocations returns what the pages run of a program.
func invocations(t *testing.T, program string) []docs.Invocation {
	t.Helper()
	var out []docs.Invocation
	for _, page := range read(t) {
		for _, block := range page.Blocks() {
			for _, i := range block.Invocations() {
				if i.Program == program {
					out = append(out, i)
				}
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("no page runs %s", program)
	}
	return out
}

func TestReadme(t *testing.T) {
	readme := read(t)[0]
	if lines := strings.Count(readme.Text, "\n"); readme.Path != "README.md" || lines >= 150 {
		t.Errorf("%s has %d lines; it is to have less than 150: move something into docs", readme.Path, lines)
	}
	for _, page := range read(t)[1:] {
		if !strings.Contains(readme.Text, "("+page.Path+")") {
			t.Errorf("README.md does not lead to %s", page.Path)
		}
	}
}

func TestLinksResolve(t *testing.T) {
	anchors := map[string]map[string]bool{}
	for _, page := range read(t) {
		anchors[page.Path] = page.Anchors()
	}
	for _, page := range read(t) {
		for _, link := range page.Links() {
			if _, err := os.Stat(filepath.Join(root, link.Path)); err != nil {
				t.Errorf("%s links to %s, which is not there", link.At, link.Path)
				continue
			}
			if known, isPage := anchors[link.Path]; isPage && link.Anchor != "" && !known[link.Anchor] {
				t.Errorf("%s links to %s#%s, and the page has no such heading", link.At, link.Path, link.Anchor)
			}
		}
	}
}

// Files and folders of the repository that prose names exist.
func TestPathsExist(t *testing.T) {
	code := regexp.MustCompile("`([^`]+)`")
	inRepository := regexp.MustCompile(`^(?:\./)?((?:bench|cmd|docs|manifests|pkg|test)/[A-Za-z0-9_./-]+)$`)
	made := []string{"bench/out"} // by the benchmarks
	for _, page := range read(t) {
		for at, line := range page.Prose() {
			for _, match := range code.FindAllStringSubmatch(line, -1) {
				for _, word := range strings.Fields(match[1]) {
					path := inRepository.FindStringSubmatch(word)
					function := named.FindStringSubmatch("`" + word + "`")
					if path == nil || function != nil && function[3] != "go" || strings.HasSuffix(word, "...") || slices.ContainsFunc(made, func(m string) bool { return strings.HasPrefix(path[1], m) }) {
						continue
					}
					if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
						t.Errorf("%s names %s, which is not there", at, path[1])
					}
				}
			}
		}
	}
}

func TestTargetsOfMake(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[match[1]] = true
	}
	check := func(at, word string) {
		name, _, isVariable := strings.Cut(word, "=")
		switch {
		case !isVariable && !targets[word]:
			t.Errorf("%s: make %s: the Makefile has no such target", at, word)
		case isVariable && !regexp.MustCompile(`\b`+name+`\b`).Match(makefile):
			t.Errorf("%s: make %s: the Makefile knows no such variable", at, word)
		}
	}
	for _, i := range invocations(t, "make") {
		for _, word := range i.Args {
			check(i.At, word)
		}
	}
	inline := regexp.MustCompile("`make ([^`]+)`")
	for _, page := range read(t) {
		for at, line := range page.Prose() {
			for _, match := range inline.FindAllStringSubmatch(line, -1) {
				for _, word := range strings.Fields(match[1]) {
					check(at, word)
				}
			}
		}
	}
}

// Every berth that the documentation shows is one that there is. The other commands have the same
// test beside them.
func TestDocumentedCommands(t *testing.T) {
	checked, err := docs.CheckCommand(root, "berth", func() *cobra.Command {
		cmd, err := engine.NewCommand()
		if err != nil {
			t.Fatal(err)
		}
		return cmd
	})
	if err != nil {
		t.Error(err)
	}
	if checked == 0 {
		t.Error("the documentation shows none")
	}
}

// What kubectl and kustomize apply is a kustomization, what Helm installs is the chart, and what
// Helm sets is one of its values.
func TestWhatIsInstalled(t *testing.T) {
	for _, i := range invocations(t, "kubectl") {
		if at := slices.Index(i.Args, "-k"); at >= 0 && slices.Contains(i.Args, "apply") {
			if _, err := os.Stat(filepath.Join(root, i.Args[at+1], "kustomization.yaml")); err != nil {
				t.Errorf("%s: kubectl apply -k %s: %v", i.At, i.Args[at+1], err)
			}
		}
	}
	values := map[string]any{}
	text, err := os.ReadFile(filepath.Join(root, "manifests/chart/values.yaml"))
	if err == nil {
		err = yaml.UnmarshalStrict(text, &values)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range invocations(t, "helm") {
		for at, word := range i.Args {
			switch {
			case strings.HasPrefix(word, "manifests/"):
				if _, err := os.Stat(filepath.Join(root, word, "Chart.yaml")); err != nil {
					t.Errorf("%s: helm %s: %v", i.At, word, err)
				}
			case word == "--set":
				path, _, _ := strings.Cut(i.Args[at+1], "=")
				if !hasValue(values, strings.Split(path, ".")) {
					t.Errorf("%s: helm --set %s: the chart has no such value", i.At, path)
				}
			}
		}
	}
}

func hasValue(values map[string]any, path []string) bool {
	value, ok := values[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	below, ok := value.(map[string]any)
	return ok && hasValue(below, path[1:])
}

// The page on troubleshooting has a row for each reason for which something may wait, and no other
// page names one that there is not.
func TestEveryReasonIsExplained(t *testing.T) {
	var reasons []string
	for _, m := range measure.Metrics() {
		for _, label := range m.Labels {
			if m.Name == "berth_held_gangs" && label.Name == "reason" {
				reasons = label.Values
			}
		}
	}
	if len(reasons) < 20 {
		t.Fatalf("berth_held_gangs has only the reasons %v", reasons)
	}
	const page = "docs/troubleshooting.md"
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[A-Za-z]+`(?:, )?)+) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("[A-Za-z]+").FindAllString(row[1], -1) {
			explained[name] = true
		}
	}
	for _, reason := range reasons {
		if !explained[reason] {
			t.Errorf("%s has no row for %s: say what it means and what to do", page, reason)
		}
	}
	for name := range explained {
		if !slices.Contains(reasons, name) {
			t.Errorf("%s has a row for %s, which is no reason", page, name)
		}
	}
}
