// Command referencepage writes docs/reference.md: the flags of all commands, the arguments of
// plugins, the fields of Berth's kinds, labels and annotations, and the reasons for which pods
// wait. All is read from code and manifests, but for the types of labels and annotations, which
// are in keys.go. make generate runs it in docs.
//
// Files: main.go (the page), flags.go (commands), fields.go (arguments and kinds), keys.go (labels
// and annotations), reasons.go (reasons), source.go (comments of the code).
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const head = `# Reference

<!-- Written by make generate from the code and the manifests. Change those. -->

This page lists all flags, arguments of plugins, fields of Berth's kinds, labels, annotations, and
reasons for which pods wait, with types and defaults. [metrics.md](metrics.md) lists metrics.
`

// root is the root of the repository, from docs.
const root = ".."

func main() {
	var page bytes.Buffer
	page.WriteString(head)
	for _, section := range []func(*bytes.Buffer) error{writeFlags, writeArguments, writeKinds, writeKeys, writeReasons} {
		if err := section(&page); err != nil {
			fmt.Fprintln(os.Stderr, "writing the reference:", err)
			os.Exit(1)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "docs/reference.md"), page.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "writing the reference:", err)
		os.Exit(1)
	}
}

// cell is text as a cell of a table has it.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.TrimSpace(text))
}

// code is text as code, "" if there is none.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}
