package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// files parses the Go files of a folder of the repository, those of its subfolders if deep, and of
// no tests.
func files(folder string, deep bool) (out []*ast.File, err error) {
	top := filepath.Join(root, folder)
	err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != top && !deep:
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err == nil {
			out = append(out, file)
		}
		return err
	})
	return out, err
}

// fieldComments returns the comments of the fields of a struct, by the names of the fields.
func fieldComments(folder, name string) (map[string]string, error) {
	parsed, err := files(folder, false)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range fields.Fields.List {
					for _, name := range field.Names {
						out[name.Name] = strings.TrimSpace(field.Doc.Text())
					}
				}
			}
			return false
		})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no struct %s with fields", folder, name)
	}
	return out, nil
}

// constant is a constant of type string, with its comment.
type constant struct{ name, value, comment string }

// constants returns those of files.
func constants(parsed []*ast.File) []constant {
	var out []constant
	for _, file := range parsed {
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				values := spec.(*ast.ValueSpec)
				comment := values.Doc.Text()
				if comment == "" && len(group.Specs) == 1 {
					comment = group.Doc.Text()
				}
				for i, value := range values.Values {
					literal, ok := value.(*ast.BasicLit)
					if !ok || literal.Kind != token.STRING {
						continue
					}
					if text, err := strconv.Unquote(literal.Value); err == nil {
						out = append(out, constant{values.Names[i].Name, text, strings.TrimSpace(comment)})
					}
				}
			}
		}
	}
	return out
}
