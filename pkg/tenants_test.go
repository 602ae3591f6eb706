package layers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notOfTenants are the packages that read keys of their own making: those of simulated
// kubelets, and of the demo, which writes what a user would.
var notOfTenants = []string{"localcluster", "demo"}

// keysInCode returns the berth.dev keys of labels and annotations in the packages, and where
// each is: all strings of that form that are not of a type of their own.
func keysInCode(t *testing.T) map[string]string {
	t.Helper()
	form := regexp.MustCompile(`^berth\.dev/[a-z][a-z-]*$`)
	found := map[string]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(notOfTenants, path):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if n.Type != nil {
					return false // a name of something else, as in the state of a cycle
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && form.MatchString(text) {
					found[text] = files.Position(n.Pos()).String()
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Whatever a tenant may write on an object, the page on tenants says what it changes and what
// a liar gains; and it has nothing that the code does not read.
func TestKeysAreInTheTableOfTenants(t *testing.T) {
	const page = "../docs/tenants.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(berth\\.dev/[a-z-]+)`.*\\|$").FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] = true
	}
	keys := keysInCode(t)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !rows[key] {
			t.Errorf("%s, which %s reads, is in no table of %s: say who sets it, what it changes and what a liar gains", key, keys[key], page)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if keys[key] == "" {
			t.Errorf("%s is in a table of %s, and nothing reads it", key, page)
		}
	}
	if len(keys) < 10 {
		t.Errorf("only %v were found in the code", keys)
	}
}
