package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestDemoRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"too few nodes":   {[]string{"--nodes", "7"}, "--nodes must be at least 8, got 7"},
		"too many nodes":  {[]string{"--nodes", "1000000"}, "--nodes must be at most 25000"},
		"negative seed":   {[]string{"--seed", "-1"}, "--seed must not be negative, got -1"},
		"no time":         {[]string{"--timeout", "0s"}, "--timeout must be more than 0, as in 10m"},
		"page is a place": {[]string{"--html", "."}, "--html . is a directory; name a file in it, as in demo.html"},
		"arguments":       {[]string{"64"}, `unknown command "64"`},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			cmd.SetArgs(append([]string{"demo"}, test.args...))
			cmd.SetErr(&bytes.Buffer{})
			err := cmd.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
		})
	}
}
