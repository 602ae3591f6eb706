package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUpRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"negative nodes":      {[]string{"--nodes", "-1"}, "--nodes cannot be negative, got -1"},
		"rack of nothing":     {[]string{"--rack-size", "0"}, "--rack-size must be at least 1, got 0"},
		"block of nothing":    {[]string{"--block-size", "-2"}, "--block-size must be at least 1, got -2"},
		"unknown model":       {[]string{"--model", "cray-1"}, `--model: unknown machine model "cray-1"; known are hgx-h100, `},
		"gate without value":  {[]string{"--feature-gates", "GenericWorkload"}, `--feature-gates: "GenericWorkload" is not of the form`},
		"gate with a typo":    {[]string{"--feature-gates", "A=true,B=ture"}, `--feature-gates: "B=ture" is not of the form`},
		"arguments":           {[]string{"64"}, `unknown command "64"`},
		"not a number":        {[]string{"--nodes", "many"}, `invalid argument "many" for "--nodes"`},
		"a flag there is not": {[]string{"--node", "1"}, "unknown flag: --node"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			cmd.SetArgs(append([]string{"up"}, test.args...))
			cmd.SetErr(&bytes.Buffer{})
			err := cmd.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestParseFeatureGates(t *testing.T) {
	got, err := parseFeatureGates([]string{"A=true", "B=false"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"A": true, "B": false}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
