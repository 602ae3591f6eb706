package engine

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

const scenarios = "../../test/integration"

// Every reason for which a gang or pod may wait is shown with real objects: a scenario waits
// until a pod says it, or a test names it. Those that pass before anybody could read them are
// shown on a bench, and of those that no pod says it is said where they are said.
func TestEveryReasonIsShown(t *testing.T) {
	// Each lasts for moments, unless thousands wait: the file with a bench that shows it, and
	// what it says there.
	passing := map[string][2]string{
		waitreason.GangEntering:    {"explain_test.go", "code: waitreason.GangEntering"},
		waitreason.NotTried:        {"explain_test.go", "code:    waitreason.NotTried"},
		waitreason.Backoff:         {"explain_test.go", "code: waitreason.Backoff"},
		waitreason.NamespaceWindow: {"windows_test.go", "why.Code != waitreason.NamespaceWindow"},
		string(admission.Turn):     {"testdata/why.txt", "Pending ns/late: QueueNotItsTurn (turn)"},
		string(admission.Behind):   {"testdata/why.txt", "Pending ns/late: QueuedBehind (turn)"},
	}
	silent := map[string]string{
		waitreason.Other:               "what somebody else wrote into the condition of a pod",
		string(admission.Admitted):     "the gang is being tried: it has its place or another reason in a moment",
		string(admission.NoRoom):       "in its stead it is said why there is no room, or " + waitreason.Backoff,
		string(queueing.QueueFault):    "a refusal in the scheduling cycle, which has the reason Unschedulable, as its text",
		string(queueing.QueueLimit):    "a refusal in the scheduling cycle, which has the reason Unschedulable, as its text",
		corev1.PodReasonSchedulerError: "a plugin failed, as no object can make one of ours",
	}
	held := map[string]bool{}
	scripts := globbed(t, scenarios+"/testdata/cases/*.txt")
	for _, text := range scripts {
		for _, line := range regexp.MustCompile(`(?m)^held \S+ (\S+)`).FindAllStringSubmatch(text, -1) {
			held[line[1]] = true
		}
	}
	tests := strings.Join(globbed(t, scenarios+"/*_test.go"), "")
	for _, reason := range waitreason.All() {
		bench, passes := passing[reason]
		switch shown := held[reason] || strings.Contains(tests, `"`+reason+`"`); {
		case passes && !strings.Contains(globbed(t, bench[0])[0], bench[1]):
			t.Errorf("%s passes in a moment, and %s does not show it: no %q is there", reason, bench[0], bench[1])
		case !passes && silent[reason] == "" && !shown:
			t.Errorf("%s is shown by no scenario: add one under %s/testdata/cases with the line: held POD %s TEXT", reason, scenarios, reason)
		case (passes || silent[reason] != "") && held[reason]:
			t.Errorf("%s has a scenario: it is to be taken off the list here", reason)
		}
	}
	for reason := range silent {
		if !slices.Contains(waitreason.All(), reason) {
			t.Errorf("%s is no reason any more", reason)
		}
	}
}

// globbed returns the texts of files.
func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	var out []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}
