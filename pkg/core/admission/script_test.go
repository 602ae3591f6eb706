package admission

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

	"github.com/berth-dev/berth/pkg/core/quota"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// TestScripts runs the scenarios under testdata. A scenario is commands, each followed by a
// line of dashes and the lines it is expected to print, up to the next empty line:
//
//	queue NAME [in=PARENT] [order=fair|priority|fifo] [half=DURATION]
//	      [gpu=GUARANTEED[/LIMIT[/WEIGHT]]]
//	begin GPUS WINDOW OVERTAKING BACKLOG    with the queues so far, and forgets them
//	gang NAME QUEUE GPUS [priority=N]       each arrives after the one before it; queue - is
//	                                        the root
//	time DURATION                           passes
//	next                                    admits one
//	placed NAME                             is charged
//	refused|gone|why NAME
//	retry
//	charge|release QUEUE GPUS
//	all                                     admits and places all that can be, one by one
//
// A part of a quota that is "-" or left out is not stated. Lines that start with # are
// comments. Run with -update to rewrite what is expected.
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
	specs []quota.Spec
	tree  *quota.Tree
	admit *Admission
	now   quota.Time
	gangs map[string]Gang
}

// do executes one command and returns what it prints.
func (s *scene) do(words []string) (string, error) {
	command, args := words[0], words[1:]
	switch {
	case command == "queue":
		return "", s.queue(args)
	case command == "begin":
		numbers, err := amounts(args)
		if err != nil || len(numbers) != 4 {
			return "", fmt.Errorf("four numbers are needed: %w", err)
		}
		s.tree, _ = quota.NewTree(s.specs, []string{"gpu"})
		s.admit = New(s.tree, quota.Vector{numbers[0]}, Config{Window: int(numbers[1]), Overtaking: int(numbers[2]), Backlog: int(numbers[3])})
		s.specs, s.gangs, s.now = nil, map[string]Gang{}, 0
		return "", nil
	case s.admit == nil:
		return "", errors.New("nothing has begun")
	}
	switch command {
	case "gang":
		return s.gang(args)
	case "time":
		d, err := time.ParseDuration(args[0])
		s.now += quota.Time(d)
		return "", err
	case "next":
		if g, ok := s.admit.Next(s.now); ok {
			return g.Name, nil
		}
		return "nobody", nil
	case "placed":
		g := s.gangs[args[0]]
		if err := s.admit.Charge(s.now, g.Queue, g.Asks); err != nil {
			return "", err
		}
		return wasNot(s.admit.Placed(g.Name)), nil
	case "refused":
		return wasNot(s.admit.Refused(args[0])), nil
	case "gone":
		return wasNot(s.admit.Gone(args[0])), nil
	case "retry":
		s.admit.Retry()
		return "", nil
	case "why":
		why, ok := s.admit.Reason(args[0])
		if !ok {
			return "it does not wait", nil
		}
		return fmt.Sprintf("%s: %s", why.Code, why.Sentence(s.tree, func(name string) string { return fmt.Sprintf("gang %q", name) })), nil
	case "charge", "release":
		q, ok := s.tree.Queue(args[0])
		numbers, err := amounts(args[1:])
		if err != nil || !ok {
			return "", fmt.Errorf("queue %q: %v: %w", args[0], ok, err)
		}
		if command == "charge" {
			return "", s.admit.Charge(s.now, q, numbers)
		}
		return "", s.admit.Release(s.now, q, numbers)
	case "all":
		return s.all()
	}
	return "", errors.New("unknown command")
}

func wasNot(ok bool) string {
	if ok {
		return ""
	}
	return "it is not there"
}

func (s *scene) all() (string, error) {
	var names []string
	for {
		g, ok := s.admit.Next(s.now)
		if !ok {
			return strings.Join(names, " "), nil
		}
		names = append(names, g.Name)
		if err := s.admit.Charge(s.now, g.Queue, g.Asks); err != nil {
			return "", err
		}
		s.admit.Placed(g.Name)
	}
}

func (s *scene) gang(args []string) (string, error) {
	numbers, err := amounts(args[2:3])
	q, ok := s.tree.Queue(strings.TrimPrefix(args[1], "-"))
	if err != nil || !ok {
		return "", fmt.Errorf("queue %q: %v: %w", args[1], ok, err)
	}
	g := Gang{Name: args[0], Queue: q, Asks: numbers, Arrived: quota.Time(len(s.gangs))}
	if len(args) > 3 {
		priority, err := strconv.ParseInt(strings.TrimPrefix(args[3], "priority="), 10, 32)
		if err != nil {
			return "", err
		}
		g.Priority = int32(priority)
	}
	s.gangs[g.Name] = g
	if err := s.admit.Push(g); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

func amounts(words []string) (quota.Vector, error) {
	var v quota.Vector
	for _, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, err
		}
		v = append(v, quota.Amount(n))
	}
	return v, nil
}

func (s *scene) queue(args []string) error {
	spec := quota.Spec{Name: args[0], Resources: map[string]quota.Quota{}}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "in":
			spec.Parent = value
		case "order":
			spec.Order = map[string]quota.Order{"fair": quota.Fair, "priority": quota.Priority, "fifo": quota.FIFO}[value]
		case "half":
			spec.HalfLife, err = time.ParseDuration(value)
		default:
			var q quota.Quota
			for i, part := range strings.Split(value, "/") {
				if part == "-" {
					continue
				}
				var n int64
				n, err = strconv.ParseInt(part, 10, 64)
				*[]**quota.Amount{&q.Guaranteed, &q.Limit, &q.Weight}[i] = new(quota.Amount(n))
			}
			spec.Resources[name] = q
		}
		if err != nil {
			return err
		}
	}
	s.specs = append(s.specs, spec)
	return nil
}
