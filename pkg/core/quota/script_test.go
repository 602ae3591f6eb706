package quota

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// TestScripts runs the scenarios under testdata. A scenario is commands, each followed by a
// line of dashes and the lines it is expected to print, up to the next empty line:
//
//	queue NAME [in=PARENT] [RESOURCE=GUARANTEED[/LIMIT[/WEIGHT]]]... [half=DURATION]
//	      [within=WHOM] [reclaim=WHOM] [min=DURATION]
//	      the first one after a tree begins another
//	tree                                  all faults, and what queues are left with
//	charge|release|can QUEUE RESOURCE=N...
//	usage
//	shares RESOURCE=CAPACITY... [QUEUE:RESOURCE=DEMAND]...
//	claim QUEUE guarantee|share|straddling PRIORITY RESOURCE=N...
//	evict QUEUE PRIORITY RAN RESOURCE=N...
//	revert                                the last eviction
//	fits
//
// A part of a quota that is "-" or left out is not stated. A claim has the shares that were
// asked for last. Lines that start with # are comments. Run with -update to rewrite what is
// expected.
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
			switch {
			case err != nil:
				t.Fatalf("%s: %v", path, err)
			case got == string(text):
			case *update:
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s: run with -update to accept\n%s", path, firstDifference(string(text), got))
			}
		})
	}
}

// run executes a script and returns it with the output that the commands print.
func run(script string) (string, error) {
	var out strings.Builder
	var s scene
	lines := bufio.NewScanner(strings.NewReader(script))
	skipping, printing := false, false
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		switch {
		case skipping && strings.TrimSpace(line) != "":
			continue
		case strings.HasPrefix(line, "----"):
			skipping = true
			continue
		}
		if printing && line != "" {
			out.WriteString("\n")
		}
		skipping, printing = false, false
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		printed, err := s.do(strings.Fields(line))
		if err != nil {
			return "", fmt.Errorf("line %d: %q: %w", number, line, err)
		}
		if printed != "" {
			out.WriteString("----\n" + strings.TrimSuffix(printed, "\n") + "\n")
			printing = true
		}
	}
	return out.String(), lines.Err()
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

// scene is the state that the commands of a script build up.
type scene struct {
	specs  []Spec
	tree   *Tree
	usage  *Usage
	shares []Vector
	sim    *Simulation
	undo   []Undo
}

// do executes one command and returns what it prints.
func (s *scene) do(words []string) (string, error) {
	if words[0] == "queue" {
		if s.tree != nil {
			*s = scene{}
		}
		spec, err := parseSpec(words[1:])
		s.specs = append(s.specs, spec)
		return "", err
	}
	if words[0] == "tree" {
		var faults []Fault
		s.tree, faults = NewTree(s.specs, []string{"gpu"})
		s.usage = NewUsage(s.tree)
		return s.describe(faults), nil
	}
	if s.tree == nil {
		return "", errors.New("there is no tree yet")
	}
	switch command, args := words[0], words[1:]; command {
	case "charge", "release", "can":
		q, v, err := s.parse(args[0], args[1:])
		if err != nil {
			return "", err
		}
		switch command {
		case "charge":
			_, err = s.usage.Charge(q, v)
		case "release":
			_, err = s.usage.Release(q, v)
		default:
			return s.verdict(s.usage.CanCharge(q, v)), nil
		}
		if err != nil {
			return err.Error(), nil
		}
		return "", nil
	case "usage":
		return s.each(func(q QueueID) string { return s.vector(s.usage.Of(q)) }), nil
	case "shares":
		return s.share(args)
	case "claim":
		return "", s.reclaim(args)
	case "evict":
		q, v, err := s.parse(args[0], args[3:])
		if err != nil {
			return "", err
		}
		priority, err := strconv.Atoi(args[1])
		if err != nil {
			return "", err
		}
		ran, err := time.ParseDuration(args[2])
		if err != nil {
			return "", err
		}
		undo, protection := s.sim.Evict(Victim{Queue: q, Uses: v, Priority: int32(priority), Ran: ran})
		if protection != nil {
			return fmt.Sprintf("%s: %s", protection.Code, protection.Sentence(s.tree)), nil
		}
		s.undo = append(s.undo, undo)
		return "evicted", nil
	case "revert":
		last := len(s.undo) - 1
		s.sim.Revert(s.undo[last])
		s.undo = s.undo[:last]
		return "", nil
	case "fits":
		return s.verdict(s.sim.Fits()), nil
	}
	return "", errors.New("unknown command")
}

// share prints the shares of all queues.
func (s *scene) share(args []string) (string, error) {
	capacity, demand := make(Vector, len(s.tree.Resources())), make([]Vector, s.tree.Len())
	for _, arg := range args {
		name, amounts, ofQueue := strings.Cut(arg, ":")
		if !ofQueue {
			_, v, err := s.parse("", []string{arg})
			if err != nil {
				return "", err
			}
			capacity = capacity.Plus(v)
			continue
		}
		q, v, err := s.parse(name, []string{amounts})
		if err != nil {
			return "", err
		}
		if demand[q] == nil {
			demand[q] = make(Vector, len(v))
		}
		demand[q] = demand[q].Plus(v)
	}
	s.shares = s.tree.Shares(capacity, demand)
	return s.each(func(q QueueID) string { return s.vector(s.shares[q]) }), nil
}

// reclaim begins a simulation.
func (s *scene) reclaim(args []string) error {
	q, v, err := s.parse(args[0], args[3:])
	if err != nil {
		return err
	}
	mode, ok := map[string]Mode{"guarantee": ByGuarantee, "share": ByShare, "straddling": Straddling}[args[1]]
	if !ok {
		return fmt.Errorf("unknown mode %q", args[1])
	}
	priority, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	s.undo = nil
	s.sim, err = s.usage.Reclaim(Claim{Queue: q, Asks: v, Priority: int32(priority)}, mode, s.shares)
	return err
}

func (s *scene) verdict(refusal Refusal, ok bool) string {
	if ok {
		return "yes"
	}
	return refusal.Sentence(s.tree)
}

// describe prints faults and what queues are left with.
func (s *scene) describe(faults []Fault) string {
	var out strings.Builder
	for _, fault := range faults {
		fmt.Fprintf(&out, "%s %s %s\n", fault.Code, fault.Field, fault.Text)
	}
	out.WriteString(s.each(func(q QueueID) string {
		text := fmt.Sprintf("guaranteed %s, limit %s, weight %s", s.vector(s.tree.Guaranteed(q)), s.vector(s.tree.Limit(q)), s.vector(s.tree.Weight(q)))
		if half := s.tree.HalfLife(q); half > 0 {
			text += fmt.Sprintf(", half-life %s", half)
		}
		if fault := s.tree.Fault(q); fault != nil {
			text += fmt.Sprintf(", faulty by %q", fault.Queue)
		}
		return text
	}))
	return out.String()
}

// each prints a line for each queue, indented by depth.
func (s *scene) each(line func(QueueID) string) string {
	var out strings.Builder
	var visit func(QueueID)
	visit = func(q QueueID) {
		name := s.tree.Name(q)
		if up := s.tree.Parent(q); up == NoQueue {
			name = "root"
		} else if s.tree.Own(up) == q {
			name = "(own)"
		}
		fmt.Fprintf(&out, "%s%s: %s\n", strings.Repeat("  ", s.tree.Depth(q)), name, line(q))
		first, n := s.tree.Children(q)
		for child := first; child < first+QueueID(n); child++ {
			visit(child)
		}
	}
	visit(RootID)
	return out.String()
}

// vector prints an amount, or several with a slash between them.
func (s *scene) vector(v Vector) string {
	parts := make([]string, len(v))
	for r := range v {
		parts[r] = v[r].String()
	}
	return strings.Join(parts, "/")
}

// parse reads a queue and amounts.
func (s *scene) parse(name string, args []string) (QueueID, Vector, error) {
	q, ok := s.tree.Queue(name)
	if !ok {
		return 0, nil, fmt.Errorf("no queue %q", name)
	}
	v := make(Vector, len(s.tree.Resources()))
	for _, arg := range args {
		resource, text, _ := strings.Cut(arg, "=")
		found := false
		for r, known := range s.tree.Resources() {
			if known != resource {
				continue
			}
			amount, err := parseAmount(text)
			if err != nil {
				return 0, nil, err
			}
			v[r], found = *amount, true
		}
		if !found {
			return 0, nil, fmt.Errorf("no resource %q", resource)
		}
	}
	return q, v, nil
}

func parseAmount(text string) (*Amount, error) {
	switch text {
	case "-":
		return nil, nil
	case "unlimited":
		return new(Unlimited), nil
	case "most":
		return new(Most), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return new(Amount(n)), err
}

func parseSpec(args []string) (Spec, error) {
	spec := Spec{Name: args[0], Resources: map[string]Quota{}}
	if spec.Name == "-" {
		spec.Name = ""
	}
	whom := map[string]Whom{"any": Any, "lower": LowerPriority, "never": Never}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "in":
			spec.Parent = value
		case "half":
			spec.HalfLife, err = time.ParseDuration(value)
		case "min":
			spec.Preemption.MinRuntime, err = time.ParseDuration(value)
		case "within":
			spec.Preemption.WithinQueue = whom[value]
		case "reclaim":
			spec.Preemption.Reclaim = whom[value]
		default:
			var q Quota
			for i, part := range strings.Split(value, "/") {
				if err == nil {
					*[]**Amount{&q.Guaranteed, &q.Limit, &q.Weight}[i], err = parseAmount(part)
				}
			}
			spec.Resources[name] = q
		}
		if err != nil {
			return spec, err
		}
	}
	return spec, nil
}
