package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	page, err := whole().Page()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, want := range []string{
		"gpu-single, 10,000 pods on 2,500 nodes", "Empty cluster", "Half full", "pods a second (× of upstream-pack)", "µs a pod",
		"<b>1.49×</b>", "1,220 (1.49×)", "2026-03-01T12:00:00Z", "v1.37.2", "go1.26.8", "0123abc", "Some &lt;CPU&gt; &amp; Co", "23.5 GiB",
		"18 of 20 seeds", "1,500.0", "1.04 / 1.31",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// In the legend, the plots and the tables, each in its colour.
	for name, slot := range map[string]int{"upstream": 2, "upstream-pack": 1, "berth": 0, "null": 3} {
		for _, want := range []string{
			fmt.Sprintf(`<li><i class="swatch s%d"></i>%s `, slot, name),
			fmt.Sprintf(`<g class="s%d"><title>%s: `, slot, name),
			fmt.Sprintf(`<td class="scheduler"><i class="swatch s%d"></i>%s</td>`, slot, name),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	}
	outside := regexp.MustCompile(`(?i)https?:|\bsrc=|\bhref=|@import|\burl\(|<script`)
	if found := outside.FindAllString(text, -1); len(found) > 0 {
		t.Errorf("the page refers to something else: %q", found)
	}
	if bytes.Contains(page, []byte("ZgotmplZ")) {
		t.Error("the template refused a value")
	}
}

// The page is XML as well, so that a mark that is not closed is found.
func TestPageIsWellFormed(t *testing.T) {
	page, err := whole().Page()
	if err != nil {
		t.Fatal(err)
	}
	counts := elements(t, page)
	r := whole()
	want := map[string]int{
		"svg":      3,                                                                                                                            // a topic and two fills
		"polyline": 6,                                                                                                                            // three schedulers, twice
		"circle":   len(r.Cycles),                                                                                                                //
		"path":     len(r.Perf),                                                                                                                  // whiskers
		"rect":     len(r.Perf) + 6,                                                                                                              // bars, and the colours beside the names of lines
		"table":    8,                                                                                                                            //
		"tr":       8 + 4 + len(r.Cycles) + len(r.Gangs) + len(r.Links) + len(r.Quality) + len(r.Plans) + len(r.Topology) + len(r.Fragmentation), // with eight heads
	}
	got := map[string]int{}
	for name := range want {
		got[name] = counts[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestPageEscapes(t *testing.T) {
	const evil = `</svg><script>"&'`
	r := whole()
	r.Environment.CPU = evil
	for i := range r.Perf {
		r.Perf[i].Topic, r.Perf[i].Scheduler = evil, evil
	}
	for i := range r.Cycles {
		r.Cycles[i].Fill, r.Cycles[i].Scheduler = evil, evil
	}
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page, []byte("<script")) {
		t.Error("text is not escaped")
	}
	elements(t, page)
}

// Parts that there are no rows for are left out.
func TestPageOfParts(t *testing.T) {
	for _, test := range []struct {
		name   string
		report Report
		svg    int
		tables int
	}{
		{"nothing", Report{}, 0, 0},
		{"only perf", Report{Perf: whole().Perf}, 1, 1},
		{"only cycles", Report{Cycles: whole().Cycles}, 2, 1},
		{"only quality", Report{Quality: whole().Quality}, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, err := test.report.Page()
			if err != nil {
				t.Fatal(err)
			}
			counts := elements(t, page)
			if counts["svg"] != test.svg || counts["table"] != test.tables {
				t.Errorf("%d drawings and %d tables, want %d and %d", counts["svg"], counts["table"], test.svg, test.tables)
			}
		})
	}
}

func TestLegend(t *testing.T) {
	r := Report{
		Perf:          []PerfRow{{Scheduler: "null"}, {Scheduler: "zeta"}, {Scheduler: "berth"}},
		Cycles:        []CycleRow{{Scheduler: "alpha"}, {Scheduler: "berth"}},
		Gangs:         []GangCycleRow{{Scheduler: "beta"}},
		Quality:       []QualityRow{{Scheduler: "gamma"}},
		Topology:      []TopologyRow{{Contestant: "berth-exact"}},
		Fragmentation: []FragmentationRow{{Contestant: "delta"}},
	}
	var got []string
	for _, l := range r.legend() {
		got = append(got, fmt.Sprintf("%s %d", l.Scheduler, l.Slot))
	}
	want := []string{"berth 0", "null 3", "berth-exact 6", "alpha 7", "beta 7", "delta 7", "gamma 7", "zeta 7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// elements returns how many elements of each name the page has, and fails if it is not
// well-formed.
func elements(t *testing.T, page []byte) map[string]int {
	t.Helper()
	counts := map[string]int{}
	decoder := xml.NewDecoder(bytes.NewReader(page))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
}
