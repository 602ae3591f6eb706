package operators

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed testdata
var testdata embed.FS

// Rows are what is tried with every operator, in the order in which it is.
func Rows() []string {
	return []string{
		"placed whole",
		"a pod dies",
		"scaled up",
		"scaled down",
		"suspended, resumed",
		"operator restarted",
		"taken back",
		"deleted",
	}
}

// A Scenario is what is tried with one operator:
//
//	needs TEXT         what a user has to change for it to work, as the page says it
//	row NAME           begins one of Rows; the commands of it follow
//	cannot NAME: TEXT  says why a row is not tried
//
// Lines before the first row prepare it; lines that start with # are comments.
type Scenario struct {
	// Needs are sentences.
	Needs   []string
	Prepare []Line
	Rows    []Row
}

// A Row is one thing that is tried. Cannot says why it is not.
type Row struct {
	Name   string
	Cannot string
	Lines  []Line
}

// A Line is one command; At is its file and number.
type Line struct {
	At   string
	Text string
}

// Words returns the words of the command.
func (l Line) Words() []string { return strings.Fields(l.Text) }

// Scenario reads the operator's scenario. Each of Rows is tried or has a reason.
func (o Operator) Scenario() (Scenario, error) {
	file := o.Name() + ".txt"
	text, err := testdata.ReadFile(path.Join("testdata", file))
	if err != nil {
		return Scenario{}, fmt.Errorf("reading the scenario of %s: %w", o.Title, err)
	}
	return parse(file, string(text))
}

// Manifest returns a manifest beside the scenarios.
func Manifest(name string) ([]byte, error) {
	text, err := fs.ReadFile(testdata, path.Join("testdata", name))
	if err != nil {
		return nil, fmt.Errorf("reading a manifest of the scenarios: %w", err)
	}
	return text, nil
}

func parse(file, text string) (Scenario, error) {
	var s Scenario
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := fmt.Sprintf("%s:%d", file, number)
		command, rest, _ := strings.Cut(line, " ")
		switch command {
		case "needs":
			s.Needs = append(s.Needs, rest)
		case "row":
			s.Rows = append(s.Rows, Row{Name: rest})
		case "cannot":
			name, why, found := strings.Cut(rest, ": ")
			if !found {
				return s, fmt.Errorf("%s: %q has no reason; write cannot ROW: REASON", at, line)
			}
			s.Rows = append(s.Rows, Row{Name: name, Cannot: why})
		default:
			if n := len(s.Rows); n == 0 {
				s.Prepare = append(s.Prepare, Line{at, line})
			} else {
				s.Rows[n-1].Lines = append(s.Rows[n-1].Lines, Line{at, line})
			}
		}
	}
	for _, name := range Rows() {
		if !slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Name == name }) {
			return s, fmt.Errorf("%s: no row %q, and no reason why it cannot be", file, name)
		}
	}
	for _, row := range s.Rows {
		if !slices.Contains(Rows(), row.Name) {
			return s, fmt.Errorf("%s: row %q is not one of %q", file, row.Name, Rows())
		}
		if row.Cannot == "" && len(row.Lines) == 0 {
			return s, fmt.Errorf("%s: row %q tries nothing", file, row.Name)
		}
	}
	return s, nil
}
