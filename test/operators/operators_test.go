package operators

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The page names the versions that are pinned here: it is of a run with them.
func TestPageIsOfThePinnedVersions(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	if missing := Missing(string(page)); len(missing) > 0 {
		t.Errorf("docs/compatibility.md has no results of %s; run make test-operators", strings.Join(missing, ", "))
	}
	if strings.Contains(string(page), "| "+string(Fails)+" |") || strings.Contains(string(page), "| "+string(notRun)+" |") {
		t.Error("docs/compatibility.md has rows that fail or were not run; mend them, or say in the scenario why they cannot be")
	}
}

func TestMissingVersions(t *testing.T) {
	var results []Result
	for _, o := range All() {
		results = append(results, Result{Operator: o})
	}
	page := Page(results, "v1.37.2", time.Unix(0, 0))
	if missing := Missing(page); len(missing) > 0 {
		t.Errorf("a page of all operators has no %v", missing)
	}
	first := released()[0]
	older := strings.ReplaceAll(page, first.Release.Version, "v0.0.1")
	if missing := Missing(older); len(missing) != 1 || !strings.HasPrefix(missing[0], first.Title) {
		t.Errorf("a page with an older %s lacks %v", first.Title, missing)
	}
}

// Each scenario tries every row, or says why not.
func TestScenariosAreComplete(t *testing.T) {
	for _, o := range All() {
		if _, err := o.Scenario(); err != nil {
			t.Error(err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	rows := strings.Join(Rows(), "\nrunning a=b 1\nrow ")
	whole := "row " + rows + "\nrunning a=b 1\n"
	if _, err := parse("x.txt", whole); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"running a=b 1\n": `no row "placed whole"`,
		strings.Replace(whole, "row deleted", "", 1): `no row "deleted"`,
		whole + "row flown away\nrunning a=b 1\n":    "is not one of",
		whole + "cannot deleted\n":                   "has no reason",
		strings.TrimSuffix(whole, "running a=b 1\n"): "tries nothing",
	} {
		if _, err := parse("x.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parsing %q: %v, want an error with %q", text, err, want)
		}
	}
}
