package main

import (
	"testing"

	"github.com/berth-dev/berth/docs"
)

// Every berth-agent that the documentation shows is one that there is.
func TestDocumentedCommands(t *testing.T) {
	checked, err := docs.CheckCommand("../..", "berth-agent", newCommand)
	if err != nil {
		t.Error(err)
	}
	if checked == 0 {
		t.Error("the documentation shows none")
	}
}
