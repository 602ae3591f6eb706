package main

import (
	"go/ast"
	gobuild "go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is measured is there: each package, type and function that a share of a profile is of.
func TestMeasuredFunctionsExist(t *testing.T) {
	declared := map[string][]string{}
	for _, f := range wordFunctions {
		if declared[f.pkg] == nil {
			declared[f.pkg] = symbolsOf(t, f.pkg)
		}
		measured := regexp.MustCompile(symbols([]function{f}))
		found := false
		for _, symbol := range declared[f.pkg] {
			found = found || measured.MatchString(symbol)
		}
		if !found {
			t.Errorf("%s has no %s", f.pkg, strings.TrimPrefix(f.receiver+"."+f.name, "."))
		}
	}
}

// symbolsOf returns the functions that a package declares, as a profile names them.
func symbolsOf(t *testing.T, pkg string) (out []string) {
	t.Helper()
	found, err := gobuild.Import(pkg, ".", gobuild.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(found.Dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", found.Dir, len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				out = append(out, pkg+"."+receiver(f)+f.Name.Name)
			}
		}
	}
	return out
}

// receiver returns the receiver of a method as a profile names it, with a dot; "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	switch of := f.Recv.List[0].Type.(type) {
	case *ast.Ident:
		return of.Name + "."
	case *ast.StarExpr:
		if id, ok := of.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")."
		}
	}
	return ""
}

func TestSymbols(t *testing.T) {
	measured := regexp.MustCompile(symbols([]function{{pkg: "a.b/c", receiver: "(*t)", name: "f"}, {pkg: "a.b/d"}}))
	for symbol, want := range map[string]bool{
		"a.b/c.(*t).f": true, "a.b/c.(*t).f.func1": true, "a.b/d.g": true,
		"a.b/c.(*t).fg": false, "a.b/c.t.f": false, "x/a.b/d.g": false, "a.b/de.g": false, "axb/d.g": false,
	} {
		if got := measured.MatchString(symbol); got != want {
			t.Errorf("%s: %t, want %t", symbol, got, want)
		}
	}
}
