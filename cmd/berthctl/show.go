package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// The values of --output of what is asked of a scheduler.
const (
	outputTable = "table"
	outputWide  = "wide"
	outputYAML  = "yaml"
)

// showing is how answers are shown.
type showing struct {
	output string
	watch  bool
	every  time.Duration
	// adds says that an answer is what is new, and goes below the one before.
	adds bool
}

// leastEvery is the shortest time between two questions.
const leastEvery = 500 * time.Millisecond

func (s *showing) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&s.output, "output", "o", outputTable, "table, wide, json or yaml")
	flags.BoolVarP(&s.watch, "watch", "w", false, "ask again and again, until Ctrl-C")
	flags.DurationVar(&s.every, "every", 2*time.Second, "with -w, how long to wait in between")
}

func (s *showing) check() error {
	if all := []string{outputTable, outputWide, outputJSON, outputYAML}; !slices.Contains(all, s.output) {
		return fmt.Errorf("--output must be %s, got %q", strings.Join(all, ", "), s.output)
	}
	if s.every < leastEvery {
		return fmt.Errorf("--every must be at least %s, got %s", leastEvery, s.every)
	}
	return nil
}

// wide reports whether everything is shown.
func (s *showing) wide() bool { return s.output == outputWide }

// ask asks the scheduler once, or again and again, as the flags of a command say.
func (s *showing) ask(cmd *cobra.Command, at *reach, each func(from *scheduler) error) error {
	if err := s.check(); err != nil {
		return err
	}
	from, err := at.open(cmd.Context())
	if err != nil {
		return err
	}
	defer from.close()
	return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), func() error { return each(from) })
}

// print shows an answer: as data, or by table.
func (s *showing) print(out io.Writer, answer any, table func(text *strings.Builder)) error {
	var text strings.Builder
	switch s.output {
	case outputJSON:
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if !s.watch {
			encoder.SetIndent("", "  ")
		}
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	case outputYAML:
		body, err := yaml.Marshal(answer)
		if err != nil {
			return err
		}
		if s.watch {
			text.WriteString("---\n")
		}
		text.Write(body)
	default:
		table(&text)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// clearScreen takes the cursor home and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

// run shows once, or again and again. A scheduler that cannot be reached for a moment, as
// while another one comes to lead, ends nothing once there was an answer.
func (s *showing) run(ctx context.Context, out, log io.Writer, show func() error) error {
	if !s.watch {
		return show()
	}
	screen := styleOf(out) == coloured && (s.output == outputTable || s.output == outputWide)
	for answered := false; ; {
		if screen && !s.adds {
			_, _ = io.WriteString(out, clearScreen)
		} else if answered && !s.adds && (s.output == outputTable || s.output == outputWide) {
			_, _ = io.WriteString(out, "\n")
		}
		err := show()
		switch {
		case err == nil || errors.Is(err, errNone):
			answered = true
		case ctx.Err() != nil:
			return nil
		case !answered:
			return err
		default:
			fmt.Fprintln(log, "berthctl:", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.every):
		}
	}
}

// age is how long ago something was, in the two largest units.
func age(from, now time.Time) string {
	d := now.Sub(from).Round(time.Second)
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-2]) + ".."
}
