package integration

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

// watchingPage shows what is said at a prompt.
const watchingPage = "../../docs/watching.md"

var writePrompts = flag.Bool("write-prompts", false, "write what TestWhyAtAPrompt is told into docs/watching.md")

// shows has the page show what berthctl says, if that is asked for, and checks that there is a
// place for it: between a comment of the command and one that says end. The namespace of the
// test is called research there.
func (p prompt) shows(ns string, command string, args ...string) {
	p.t.Helper()
	out, status := p.run(append(strings.Fields(command), args...)...)
	if status != 0 {
		p.t.Errorf("berthctl %s: status %d: %s", command, status, out)
		return
	}
	page, err := os.ReadFile(watchingPage)
	if err != nil {
		p.t.Fatal(err)
	}
	place := regexp.MustCompile(`(?s)(<!-- berthctl ` + regexp.QuoteMeta(command) + ` -->\n).*?(<!-- end -->)`)
	if !place.Match(page) {
		p.t.Errorf("%s has no place for the output of berthctl %s", watchingPage, command)
		return
	}
	if !*writePrompts {
		return
	}
	text := "```\n$ berthctl " + command + "\n" + strings.TrimRight(strings.ReplaceAll(out, ns, "research"), "\n") + "\n```\n"
	page = place.ReplaceAllFunc(page, func(old []byte) []byte {
		parts := place.FindSubmatch(old)
		return []byte(string(parts[1]) + text + string(parts[2]))
	})
	if err := os.WriteFile(watchingPage, page, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// TestWatchingPageIsWritten checks that the page has the output of each command that it names.
func TestWatchingPageIsWritten(t *testing.T) {
	page, err := os.ReadFile(watchingPage)
	if err != nil {
		t.Fatal(err)
	}
	places := regexp.MustCompile(`(?s)<!-- berthctl (.*?) -->\n(.*?)<!-- end -->`).FindAllStringSubmatch(string(page), -1)
	if len(places) == 0 {
		t.Fatal("it shows nothing")
	}
	for _, place := range places {
		if !strings.HasPrefix(place[2], "```\n$ berthctl "+place[1]+"\n") || strings.Count(place[2], "\n") < 5 {
			t.Errorf("the output of berthctl %s is missing: make pictures", place[1])
		}
	}
}
