package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// What Berth says it is built on is what it is built on.
func TestBuiltOn(t *testing.T) {
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v1\.(\d+)\.`).FindSubmatch(module)
	if found == nil || string(found[1]) != fmt.Sprint(builtOn) {
		t.Errorf("go.mod has Kubernetes 1.%s, and berthctl check says 1.%d", found[1], builtOn)
	}
}
