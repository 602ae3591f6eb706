package main

import (
	"testing"

	"github.com/berth-dev/berth/docs"
)

// Every berth-local that the documentation shows is one that there is.
func TestDocumentedCommands(t *testing.T) {
	checked, err := docs.CheckCommand("../..", "berth-local", newCommand)
	if err != nil {
		t.Error(err)
	}
	if checked == 0 {
		t.Error("the documentation shows none")
	}
}
