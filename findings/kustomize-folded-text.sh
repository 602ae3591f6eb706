#!/usr/bin/env bash
# kustomize changes a folded text that has an indented line.
#
# What:    sigs.k8s.io/kustomize/api v0.21.1, the build of `kubectl apply -k`.
# Guess:   what is built without a change has the values of the file, however they are written.
# Seen:    a folded text (`>-`) with a line that is indented further, as CEL expressions are
#          written, comes out with an empty line before that line: "a(\n  b)" is "a(\n\n  b)". Its
#          value is another. Built once more it stays as it is then.
# Matters: CEL does not mind. A hash or a comparison of what kustomize applies with what another
#          tool, as Helm, applies from the same file does, and so do scripts and configuration
#          files in a ConfigMap. A literal text (`|`) stays as it is.
#
# Needs Go and a module proxy. Everything is made in a temporary folder.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0

cat >go.mod <<'MOD'
module example.com/finding

go 1.26.0

require (
	sigs.k8s.io/kustomize/api v0.21.1
	sigs.k8s.io/kustomize/kyaml v0.21.1
	sigs.k8s.io/yaml v1.6.0
)
MOD

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const object = `apiVersion: v1
kind: ConfigMap
metadata:
  name: texts
data:
  folded: >-
    all(key,
      key in now)
  literal: |-
    all(key,
      key in now)
`

func value(text []byte, key string) string {
	var o struct{ Data map[string]string }
	if err := yaml.Unmarshal(text, &o); err != nil {
		panic(err)
	}
	return o.Data[key]
}

// build returns what kustomize makes of an object alone.
func build(text []byte) []byte {
	files := filesys.MakeFsInMemory()
	_ = files.WriteFile("texts.yaml", text)
	_ = files.WriteFile("kustomization.yaml", []byte("resources: [texts.yaml]\n"))
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		panic(err)
	}
	out, err := built.AsYaml()
	if err != nil {
		panic(err)
	}
	return out
}

func main() {
	once := build([]byte(object))
	twice := build(once)
	ok := true
	for _, c := range []struct {
		what, key string
		text      []byte
		want      string
	}{
		{"written, folded", "folded", []byte(object), "all(key,\n  key in now)"},
		{"built, folded", "folded", once, "all(key,\n\n  key in now)"},
		{"built, literal", "literal", once, "all(key,\n  key in now)"},
	} {
		got := value(c.text, c.key)
		fmt.Printf("%-16s %q\n", c.what, got)
		ok = ok && got == c.want
	}
	again := value(twice, "folded")
	fmt.Printf("%-16s %q\n", "built twice", again)
	if !ok || again != value(once, "folded") {
		fmt.Println("it is not as it was")
		os.Exit(1)
	}
}
GO

go run .
