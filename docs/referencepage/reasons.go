package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/berth-dev/berth/pkg/engine/measure"
)

// ofKubernetes are the reasons that Kubernetes defines, and Berth only counts.
var ofKubernetes = map[string]string{
	"SchedulerError":  "A plugin failed.",
	"SchedulingGated": "The pod has a scheduling gate.",
}

// writeReasons writes why gangs and pods wait, in the words of the comments of the constants.
func writeReasons(page *bytes.Buffer) error {
	page.WriteString("\n## Reasons\n\nThese are the values of `reason` in the condition `PodScheduled`, in `berth_held_gangs`, and of `berthctl`.\n[troubleshooting.md](troubleshooting.md) says what to do about each.\n\n| reason | meaning |\n|---|---|\n")
	parsed, err := files("pkg", true)
	if err != nil {
		return err
	}
	meanings := map[string]string{}
	for _, c := range constants(parsed) {
		// A comment begins with the name of its constant.
		text, ok := strings.CutPrefix(c.comment, c.name)
		if text = strings.TrimLeft(text, ": "); !ok || text == "" || meanings[c.value] != "" {
			continue
		}
		if text, ok = strings.CutPrefix(text, "is "); ok {
			text = strings.TrimSpace(text)
		}
		meanings[c.value] = string(unicode.ToUpper([]rune(text)[0])) + string([]rune(text)[1:])
	}
	for _, m := range measure.Metrics() {
		for _, label := range m.Labels {
			if m.Name != "berth_held_gangs" || label.Name != "reason" {
				continue
			}
			for _, reason := range label.Values {
				meaning := meanings[reason]
				if ofKubernetes[reason] != "" {
					meaning = ofKubernetes[reason]
				}
				if meaning == "" {
					return fmt.Errorf("reason %s: its constant has no comment that begins with its name", reason)
				}
				fmt.Fprintf(page, "| `%s` | %s |\n", reason, cell(meaning))
			}
		}
	}
	return nil
}
