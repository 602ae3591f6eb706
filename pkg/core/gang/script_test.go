package gang

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// TestScripts runs the scenarios under testdata. A scenario is commands, each
// followed by a line of dashes and the lines it is expected to print, up to the
// next empty line:
//
//	declare [size=N] [source=S] [queue=Q] [required=L] [preferred=L] [segment=N/L]
//	undeclare
//	member NAME [size=N] [queue=Q] [required=L] ... [scheduler=S] [priority=N]
//	       [preemption=P] [fault=CODE:TEXT] [node=N] [created=T] [bound=T] [gate=G]
//	       [leaving] [succeeded] [extra] [role=R] [rank=N] [controller=NAME/UID]
//	gone NAME...
//	resolve [admitted]
//	interrupted size=N
//
// A member or declaration that is named again is replaced. Lines that start with #
// are comments. Run with -update to rewrite what is expected.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scenarios under testdata: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := run(string(text))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if got == string(text) {
				return
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s: run with -update to accept\n%s", path, firstDifference(string(text), got))
		})
	}
}

// scene is the state that the commands of a script build up.
type scene struct {
	declared *Declaration
	members  []Member
}

// run executes a script and returns it with the output that the commands print.
func run(script string) (string, error) {
	var out strings.Builder
	var s scene
	lines := bufio.NewScanner(strings.NewReader(script))
	skipping := false
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		switch {
		case skipping && strings.TrimSpace(line) != "":
			continue
		case strings.HasPrefix(line, "----"):
			skipping = true
			continue
		}
		skipping = false
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		printed, err := s.do(strings.Fields(line))
		if err != nil {
			return "", fmt.Errorf("line %d: %q: %w", number, line, err)
		}
		if printed != "" {
			out.WriteString("----\n" + printed + "\n")
		}
	}
	return out.String(), lines.Err()
}

// do executes one command and returns what it prints.
func (s *scene) do(words []string) (string, error) {
	switch command, args := words[0], words[1:]; command {
	case "declare":
		d, err := parseDeclaration(args)
		s.declared = &d
		return "", err
	case "undeclare":
		s.declared = nil
		return "", nil
	case "member":
		m, err := parseMember(args)
		s.remove(m.Name)
		s.members = append(s.members, m)
		return "", err
	case "gone":
		for _, name := range args {
			s.remove(name)
		}
		return "", nil
	case "resolve":
		placed := len(args) == 1 && args[0] == "placed"
		return show(Resolve(testKey, s.declared, s.members, ours, placed)), nil
	case "interrupted":
		size, err := strconv.ParseInt(strings.TrimPrefix(strings.Join(args, ""), "size="), 10, 32)
		return fmt.Sprint(Interrupted(int32(size), s.members)), err
	}
	return "", fmt.Errorf("unknown command")
}

func (s *scene) remove(name string) {
	for i := range s.members {
		if s.members[i].Name == name {
			s.members = append(s.members[:i], s.members[i+1:]...)
			return
		}
	}
}

var testKey = Key{Namespace: "ml", Dialect: "berth", Name: "train"}

// ours is the scheduler names that the scenarios answer for.
func ours(name string) bool { return name == "berth" }

func parseDeclaration(args []string) (Declaration, error) {
	d := Declaration{Source: "PodGroup"}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if name == "source" {
			d.Source = value
		} else if err := parseClaim(&d.Claims, name, value); err != nil {
			return d, err
		}
	}
	return d, nil
}

func parseMember(args []string) (Member, error) {
	m := Member{Name: args[0], Scheduler: "berth", Preemption: "PreemptLowerPriority", Rank: -1}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "scheduler":
			m.Scheduler = value
		case "priority":
			var n int64
			n, err = strconv.ParseInt(value, 10, 32)
			m.Priority = int32(n)
		case "preemption":
			m.Preemption = value
		case "fault":
			code, text, _ := strings.Cut(value, ":")
			m.Fault = &Fault{Code: Code(code), Text: strings.ReplaceAll(text, "_", " ")}
		case "node":
			m.Node = value
		case "created":
			m.Created, err = strconv.ParseInt(value, 10, 64)
		case "bound":
			m.Bound, err = strconv.ParseInt(value, 10, 64)
		case "left-out":
			m.LeftOut = true
		case "leaving":
			m.Leaving = true
		case "succeeded":
			m.Succeeded = true
		case "extra":
			m.Extra = true
		case "gate":
			m.Gate = value
		case "role":
			m.Role = value
		case "rank":
			m.Rank, err = strconv.ParseInt(value, 10, 64)
		case "controller":
			m.Controller.Name, m.Controller.UID, _ = strings.Cut(value, "/")
		default:
			err = parseClaim(&m.Claims, name, value)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

func parseClaim(c *Claims, name, value string) error {
	var err error
	switch name {
	case "size":
		var n int64
		n, err = strconv.ParseInt(value, 10, 64)
		c.Size = &n
	case "queue":
		c.Queue = value
	case "required":
		c.Topology.Required = value
	case "preferred":
		c.Topology.Preferred = value
	case "segment":
		size, level, _ := strings.Cut(value, "/")
		c.Topology.SegmentSize, err = strconv.ParseInt(size, 10, 64)
		c.Topology.SegmentLevel = level
	default:
		err = fmt.Errorf("unknown field %q", name)
	}
	return err
}

// show prints a verdict.
func show(v Verdict) string {
	if v.Action == Hold {
		return fmt.Sprintf("Hold %s\n%s", v.Code, v.Text)
	}
	g := v.Group
	until := ""
	if v.Until > 0 {
		until = fmt.Sprintf(", not before %d", v.Until)
	}
	return fmt.Sprintf("Admit %s size %d, %d needed%s\npriority %d %s, topology %s, queue %q, source %q",
		g.Key.GroupName(), g.Size, g.Need, until, g.Priority, g.Preemption, g.Topology, g.Queue, g.Source)
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}
