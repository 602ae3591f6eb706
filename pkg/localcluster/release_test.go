package localcluster

import (
	"strings"
	"testing"
)

// The name of a binary says its version, and differs with all that decides what it is.
func TestReleaseFile(t *testing.T) {
	base := Release{Name: "op", Module: "example.com/op", Version: "v1.0.0", Package: "."}
	names := map[string]bool{}
	for _, change := range []func(*Release){
		func(*Release) {},
		func(r *Release) { r.Version = "v1.0.1" },
		func(r *Release) { r.Package = "./cmd" },
		func(r *Release) { r.Module = "example.com/op/v2" },
		func(r *Release) { r.Files = map[string]string{"main.go": "package main"} },
		func(r *Release) { r.Replace = []Replacement{{Module: "example.com/api", Version: "v1.0.0"}} },
		func(r *Release) {
			r.Replace = []Replacement{{Module: "example.com/api", Version: "v1.0.0", Files: map[string]string{"a.go": "package a"}}}
		},
		func(r *Release) {
			r.Replace = []Replacement{{Module: "example.com/api", Version: "v1.0.0", Files: map[string]string{"a.go": "package b"}}}
		},
	} {
		r := base
		change(&r)
		if name := r.file(); !strings.HasPrefix(name, "op-"+r.Version+"-") || names[name] {
			t.Errorf("file %q of %+v is not of its version, or another's too", name, r)
		} else {
			names[name] = true
		}
	}
	if again := base; again.file() != base.file() {
		t.Error("the name is not the same twice")
	}
}

func TestLastLinesLeavesOutDownloads(t *testing.T) {
	if got := lastLines("go: downloading a v1\nx.go:1: wrong\ngo: downloading b v1\nx.go:2: wrong\nend\n", 2); got != "x.go:2: wrong\nend" {
		t.Errorf("the last lines are %q", got)
	}
}
