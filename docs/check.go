package docs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CheckCommand checks every invocation of a command in the pages below root: that its subcommand
// and its flags exist, and that it takes the arguments. It returns how many there are, and what is
// wrong. The command is made anew for each and never run.
func CheckCommand(root, name string, command func() *cobra.Command) (checked int, err error) {
	pages, err := Read(root)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, page := range pages {
		for _, block := range page.Blocks() {
			for _, invocation := range block.Invocations() {
				if !invocation.Runs(name) {
					continue
				}
				checked++
				if err := Check(command(), invocation.Args); err != nil {
					faults = append(faults, fmt.Errorf("%s: %s %s: %w", invocation.At, name, strings.Join(invocation.Args, " "), err))
				}
			}
		}
	}
	return checked, errors.Join(faults...)
}

// Check returns what a command has against arguments; it is not run.
func Check(command *cobra.Command, args []string) error {
	found, rest, err := command.Find(args)
	if err != nil {
		return err
	}
	found.InitDefaultHelpFlag()
	switch err := found.ParseFlags(rest); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	if help, err := found.Flags().GetBool("help"); err == nil && help {
		return nil
	}
	if !found.Runnable() {
		return fmt.Errorf("%s is no command by itself, and has no subcommand %q", found.CommandPath(), strings.Join(found.Flags().Args(), " "))
	}
	return found.ValidateArgs(found.Flags().Args())
}
