package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named is a function in a page: a package, and a function of it, or a method of a type or of a
// pointer to it.
var named = regexp.MustCompile("`(pkg/[a-z0-9/]+)\\.(\\(\\*?[A-Za-z]+\\)\\.)?([A-Za-z]+)`")

// Each function that docs/architecture.md names is there.
func TestArchitectureNamesFunctions(t *testing.T) {
	page, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]bool{}
	names := named.FindAllStringSubmatch(string(page), -1)
	for _, name := range names {
		if name[3] == "go" {
			continue // a file
		}
		folder, function := name[1], name[2]+name[3]
		if known[folder] == nil {
			known[folder] = functions(t, filepath.Join(root, folder))
		}
		if !known[folder][function] {
			t.Errorf("docs/architecture.md names %s.%s, which is not there", folder, function)
		}
	}
	if len(names) < 40 {
		t.Errorf("only %d functions are named", len(names))
	}
}

// functions returns the functions of a package as the page names them, without those of tests.
func functions(t *testing.T, folder string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok {
				out[receiver(f)+f.Name.Name] = true
			}
		}
	}
	return out
}

// receiver is that of a method, as "(*T)." or "(T).".
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	kind, star := f.Recv.List[0].Type, ""
	if pointer, ok := kind.(*ast.StarExpr); ok {
		kind, star = pointer.X, "*"
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	name, ok := kind.(*ast.Ident)
	if !ok {
		return ""
	}
	return "(" + star + name.Name + ")."
}
