package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/berth-dev/berth/pkg/engine"
)

// writeFlags writes the flags of all commands. The scheduler has those of kube-scheduler too,
// which are left out; of the others, that cannot be imported, the help is shown.
func writeFlags(page *bytes.Buffer) error {
	command, err := engine.NewCommand()
	if err != nil {
		return err
	}
	upstream := options.NewOptions()
	page.WriteString("\n## Flags\n\n### berth\n\nBeside these it has the flags of kube-scheduler: `berth --help`.\n\n| flag | type | default | meaning |\n|---|---|---|---|\n")
	command.Flags().VisitAll(func(f *pflag.Flag) {
		for _, set := range upstream.Flags.FlagSets {
			if set.Lookup(f.Name) != nil {
				return
			}
		}
		if f.Name == "version" || f.Name == "help" || f.Hidden {
			return
		}
		fmt.Fprintf(page, "| `--%s` | %s | %s | %s |\n", f.Name, f.Value.Type(), code(f.DefValue), cell(f.Usage))
	})
	bin, err := os.MkdirTemp("", "berth-reference-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	for _, name := range []string{"berthctl", "berth-agent", "berth-local"} {
		build := exec.Command("go", "build", "-o", bin+"/", "./cmd/"+name)
		build.Dir, build.Stderr = root, os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
		if err := writeHelp(page, bin, name); err != nil {
			return err
		}
	}
	return nil
}

var (
	subcommandForm = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +\S`)
	trailerForm    = regexp.MustCompile(`(?m)^Use ".*" for more information.*$`)
)

// writeHelp writes usage and flags of a command and of those below it, as its help has them.
func writeHelp(page *bytes.Buffer, bin string, words ...string) error {
	show := exec.Command(filepath.Join(bin, words[0]), append(words[1:], "--help")...)
	show.Env = []string{"HOME=/nonexistent"} // defaults are not to be those of whoever runs this
	help, err := show.Output()
	if err != nil {
		return fmt.Errorf("asking %s for help: %w", strings.Join(words, " "), err)
	}
	text := string(help)
	heading := "###"
	if len(words) > 1 {
		heading = "####"
	}
	fmt.Fprintf(page, "\n%s %s\n\n```\n%s\n", heading, strings.Join(words, " "), section(text, "Usage:"))
	subcommands := section(text, "Available Commands:")
	for _, part := range []string{subcommands, section(text, "Flags:")} {
		if part = strings.TrimRight(trailerForm.ReplaceAllString(part, ""), " \n"); part != "" {
			fmt.Fprintf(page, "\n%s\n", part)
		}
	}
	page.WriteString("```\n")
	for _, match := range subcommandForm.FindAllStringSubmatch(subcommands, -1) {
		if name := match[1]; name != "help" && name != "completion" {
			if err := writeHelp(page, bin, append(words[:len(words):len(words)], name)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// section returns the part of a help that a heading begins, up to the next empty line.
func section(help, heading string) string {
	_, rest, ok := strings.Cut("\n"+help, "\n"+heading+"\n")
	if !ok {
		return ""
	}
	body, _, _ := strings.Cut(rest, "\n\n")
	return heading + "\n" + strings.TrimRight(body, "\n")
}
