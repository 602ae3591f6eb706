package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/docs"
)

// Every berthctl that the documentation shows is one that there is.
func TestDocumentedCommands(t *testing.T) {
	checked, err := docs.CheckCommand("../..", "berthctl", func() *cobra.Command { return newCommand(connect) })
	if err != nil {
		t.Error(err)
	}
	if checked == 0 {
		t.Error("the documentation shows none")
	}
}
