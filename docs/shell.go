package docs

import (
	"path"
	"slices"
	"strings"
)

// Invocation is one program that a shell block runs.
type Invocation struct {
	At string
	// Program is its name without a folder; for go run, the package that is run, such as
	// ./cmd/berth-local, and for kubectl berth, berthctl.
	Program string
	Args    []string
}

// shells are the languages of blocks that are for a shell.
var shells = []string{"sh", "bash", "console"}

// Invocations returns what a block for a shell runs, in order, the parts of pipelines one by one;
// nil of any other block. A line may begin with a prompt, "$ "; then those that do not are output.
func (b Block) Invocations() []Invocation {
	if !slices.Contains(shells, b.Language) {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(b.Text, "\\\n", " "), "\n")
	prompted := slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "$ ") })
	var out []Invocation
	for _, line := range lines {
		line, prompt := strings.CutPrefix(line, "$ ")
		if prompted && !prompt {
			continue
		}
		for _, words := range commands(line) {
			if invocation, ok := invoked(words); ok {
				invocation.At = b.At
				out = append(out, invocation)
			}
		}
	}
	return out
}

// commands splits a line into the words of each command in it. Words may be quoted; a comment
// ends the line.
func commands(line string) [][]string {
	var out [][]string
	var words []string
	word, inWord, quote := "", false, rune(0)
	endWord := func() {
		if inWord {
			words = append(words, word)
		}
		word, inWord = "", false
	}
	endCommand := func() {
		if endWord(); len(words) > 0 {
			out = append(out, words)
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			endCommand()
			return out
		case r == ' ' || r == '\t':
			endWord()
		case r == '|' || r == ';' || r == '&':
			endCommand()
		default:
			word, inWord = word+string(r), true
		}
	}
	endCommand()
	return out
}

// invoked returns the program that words run; false if they run none, but set a variable.
func invoked(words []string) (Invocation, bool) {
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:]
	}
	if len(words) == 0 {
		return Invocation{}, false
	}
	words = beforeRedirection(words)
	switch program := path.Base(words[0]); {
	case program == "kubectl" && len(words) > 1 && words[1] == "berth":
		return Invocation{Program: "berthctl", Args: words[2:]}, true
	case program == "go" && len(words) > 2 && words[1] == "run":
		return Invocation{Program: words[2], Args: words[3:]}, true
	default:
		return Invocation{Program: program, Args: words[1:]}, true
	}
}

func beforeRedirection(words []string) []string {
	if at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, ">") || strings.HasPrefix(w, "<") }); at > 0 {
		return words[:at]
	}
	return words
}

// Runs reports whether the invocation is of a command of ours, by its name or by go run.
func (i Invocation) Runs(command string) bool {
	return i.Program == command || i.Program == "./cmd/"+command
}
