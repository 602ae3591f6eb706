// Package layers_test holds the import law: which package may import which,
// and why. It reads import clauses only, whatever their build tags, so it
// takes no time and needs no build.
package layers_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A layer says what one group of packages may import.
//
// Patterns are those of the go command: x is one package, x/... is x and all
// below it. Ours begin with "./", from the root of the module. A word in
// capitals stands for the patterns that it has in groups.
type layer struct {
	packages string
	may      []string
	mayNot   []string // taken out of may again
	tests    []string // what test files may import besides
	why      string
}

// law is the table of layers. The first row that matches a package is its own.
// Arrows point one way: a row names only rows above it, and commands and tests
// of the whole come last.
var law = []layer{
	{
		packages: "./pkg/core/...",
		may:      []string{"STD", "./pkg/core/..."},
		mayNot:   []string{"log/...", "net/...", "os/...", "sync/..."},
		tests:    []string{"STD", "TESTING"},
		why:      "the core decides with values alone: it can be read, tested and replayed without Kubernetes, I/O or concurrency",
	},
	{
		packages: "./pkg/api/...",
		may:      []string{"STD", "MACHINERY", "k8s.io/api/...", "./pkg/api/..."},
		tests:    []string{"ANY"},
		why:      "other programs import the API types, and should get nothing else with them",
	},
	{
		packages: "./pkg/dialect/...",
		may:      []string{"STD", "MACHINERY", "k8s.io/api/...", "./pkg/core/...", "./pkg/dialect/..."},
		tests:    []string{"ANY"},
		why:      "a dialect is a function from objects to values: it asks no server, and no foreign project's code is needed to read its objects",
	},
	{
		packages: "./pkg/state/statetest",
		may:      []string{"STD", "MACHINERY", "k8s.io/api/...", "./pkg/core/...", "./pkg/dialect/..."},
		why:      "it makes pods for the tests of all packages below pkg/state, so it imports none of them",
	},
	{
		packages: "./pkg/state/workload",
		may:      []string{"STD", "CLIENT", "k8s.io/component-helpers/resource", "./pkg/core/...", "./pkg/dialect/..."},
		tests:    []string{"ANY"},
		why:      "it reads a pod, and knows nothing else",
	},
	{
		packages: "./pkg/state/gangtable",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/dialect/...", "./pkg/state/workload"},
		tests:    []string{"ANY"},
		why:      "a gang is its pods, wherever they are and whoever pays for them: it knows neither queues nor what nodes have free",
	},
	{
		packages: "./pkg/state/device",
		may:      []string{"STD", "CLIENT", "k8s.io/kube-scheduler/framework/...", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/..."},
		tests:    []string{"ANY"},
		why:      "who holds which devices follows from nodes and pods alone",
	},
	{
		packages: "./pkg/state/nodeindex",
		may:      []string{"STD", "CLIENT", "k8s.io/kube-scheduler/framework/...", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/...", "./pkg/state/device", "./pkg/state/workload"},
		tests:    []string{"ANY"},
		why:      "what nodes have free does not depend on gangs or queues",
	},
	{
		packages: "./pkg/state/queueing",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/...", "./pkg/state/workload", "./pkg/state/gangtable", "./pkg/state/disruption"},
		tests:    []string{"ANY"},
		why:      "queues charge amounts: they know neither nodes nor devices",
	},
	{
		packages: "./pkg/state/...",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/dialect/...", "./pkg/state/workload"},
		tests:    []string{"ANY"},
		why:      "between Kubernetes and the core: it follows what informers say, and knows no scheduler",
	},
	{
		packages: "./pkg/plugins/...",
		may:      []string{"STD", "CLIENT", "k8s.io/kube-scheduler/framework/...", "./pkg/core/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/plugins/..."},
		tests:    []string{"ANY"},
		why:      "plugins are written against the published framework, so that what changes inside kube-scheduler breaks pkg/engine and nothing else",
	},
	{
		packages: "./pkg/release/...",
		may:      []string{"STD"},
		tests:    []string{"STD", "TESTING"},
		why:      "every program says by it what it is",
	},
	{
		packages: "./pkg/insight/...",
		may:      []string{"STD", "./pkg/insight/..."},
		tests:    []string{"ANY"},
		why:      "what a scheduler says of itself, as JSON over HTTP: whoever reads it gets the types and nothing else with them",
	},
	{
		packages: "./pkg/webpage/...",
		may:      []string{"STD", "./pkg/insight/...", "./pkg/webpage/..."},
		tests:    []string{"ANY"},
		why:      "draws what it is told, and knows neither Kubernetes nor a scheduler: the demo draws with it too",
	},
	{
		packages: "./pkg/engine/enginetest",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/dialect/..."},
		why:      "it makes objects for the tests of all packages below pkg/engine, so it imports none of them",
	},
	{
		packages: "./pkg/engine/waitreason",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/state/queueing"},
		tests:    []string{"ANY"},
		why:      "a reason is a code and a sentence, whoever gives it and whoever is told",
	},
	{
		packages: "./pkg/engine/podshape",
		may:      []string{"STD", "CLIENT", "k8s.io/component-helpers/scheduling/corev1", "k8s.io/kube-scheduler/framework/...", "k8s.io/kubernetes/pkg/scheduler/framework/...", "./pkg/core/...", "./pkg/dialect", "./pkg/state/device", "./pkg/state/nodeindex", "./pkg/plugins/devicetopology", "./pkg/plugins/queuereclaim"},
		tests:    []string{"ANY"},
		why:      "which pods are alike is said by the pods, and by which plugin looks at what",
	},
	{
		packages: "./pkg/engine/requeue",
		may:      []string{"STD", "CLIENT", "k8s.io/kube-scheduler/framework/...", "k8s.io/kubernetes/pkg/scheduler/...", "./pkg/core/pack", "./pkg/plugins/ganggate", "./pkg/plugins/queueadmission", "./pkg/engine/podshape"},
		tests:    []string{"ANY"},
		why:      "it wraps upstream's queue and cache, and asks for all else",
	},
	{
		packages: "./pkg/engine/measure",
		may:      []string{"STD", "CLIENT", "k8s.io/component-base/metrics/...", "./pkg/core/...", "./pkg/state/...", "./pkg/engine/catalog", "./pkg/engine/fastpath", "./pkg/engine/waitreason"},
		tests:    []string{"ANY"},
		why:      "everybody counts, and nothing is decided by what was counted",
	},
	{
		packages: "./pkg/engine/record",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/insight", "./pkg/state/workload", "./pkg/engine/measure"},
		tests:    []string{"ANY"},
		why:      "it writes what it is given, and knows neither gangs nor queues",
	},
	{
		packages: "./pkg/engine/binder",
		may:      []string{"STD", "CLIENT", "./pkg/engine/measure", "./pkg/engine/waitreason"},
		tests:    []string{"ANY"},
		why:      "what became of a bind is asked of the API server: it knows neither gangs nor queues",
	},
	{
		packages: "./pkg/engine/podgroups",
		may:      []string{"STD", "CLIENT", "k8s.io/apiserver/pkg/...", "k8s.io/component-base/featuregate/...", "k8s.io/kubernetes/pkg/features", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/plugins/ganggate", "./pkg/engine/fastpath"},
		tests:    []string{"ANY"},
		why:      "it feeds the scheduler with gangs, and neither places nor evicts them nor tells anybody",
	},
	{
		packages: "./pkg/engine/reporting",
		may:      []string{"STD", "CLIENT", "golang.org/x/time/...", "k8s.io/kube-scheduler/framework/...", "k8s.io/kubernetes/pkg/scheduler/...", "k8s.io/kubernetes/pkg/api/v1/pod", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/insight", "./pkg/plugins/ganggate", "./pkg/plugins/queueadmission", "./pkg/engine/binder", "./pkg/engine/measure", "./pkg/engine/podgroups", "./pkg/engine/record", "./pkg/engine/waitreason"},
		tests:    []string{"ANY"},
		why:      "it tells what was decided, and decides nothing: it knows neither the fast path nor who is evicted; it paces writes by the limiter that client-go's is made of",
	},
	{
		packages: "./pkg/engine/preemption",
		may:      []string{"STD", "CLIENT", "k8s.io/apiserver/pkg/util/feature", "k8s.io/kube-scheduler/framework/...", "k8s.io/kubernetes/pkg/features", "./pkg/core/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/insight", "./pkg/plugins/queuereclaim", "./pkg/engine/binder", "./pkg/engine/departures", "./pkg/engine/fastpath", "./pkg/engine/measure", "./pkg/engine/record", "./pkg/engine/suspension", "./pkg/engine/waitreason"},
		tests:    []string{"ANY"},
		why:      "who is evicted follows from queues, budgets and nodes: it needs nothing of upstream's scheduler but the published framework",
	},
	{
		packages: "./pkg/engine/recovery",
		may:      []string{"STD", "CLIENT", "./pkg/core/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/insight", "./pkg/engine/fastpath", "./pkg/engine/measure", "./pkg/engine/preemption", "./pkg/engine/record", "./pkg/engine/suspension"},
		tests:    []string{"ANY"},
		why:      "a gang that lacks members is restarted as others are evicted, so it is built on preemption",
	},
	{
		packages: "./pkg/engine/attempts",
		may:      []string{"STD", "CLIENT", "k8s.io/kube-scheduler/framework/...", "k8s.io/kubernetes/pkg/scheduler/...", "./pkg/core/...", "./pkg/state/...", "./pkg/insight", "./pkg/engine/fastpath", "./pkg/engine/preemption", "./pkg/engine/record", "./pkg/engine/reporting", "./pkg/engine/waitreason"},
		tests:    []string{"ANY"},
		why:      "it is where upstream's loop and the state meet: it wraps the loop, and others decide",
	},
	{
		packages: "./pkg/engine/...",
		may:      []string{"STD", "COMMAND", "k8s.io/...", "golang.org/x/time/...", "golang.org/x/sync/errgroup", "./pkg/core/...", "./pkg/api/...", "./pkg/dialect/...", "./pkg/state/...", "./pkg/plugins/...", "./pkg/insight/...", "./pkg/webpage/...", "./pkg/release/...", "./pkg/engine/..."},
		tests:    []string{"ANY"},
		why:      "the only importer of k8s.io/kubernetes/pkg/scheduler: an upgrade of Kubernetes is done here, that of its command line included; it paces writes by the limiter that client-go's is made of, and does two things at a time by errgroup",
	},
	{
		packages: "./pkg/agent/...",
		may:      []string{"STD", "CLIENT", "github.com/NVIDIA/go-nvml/...", "google.golang.org/grpc/...", "k8s.io/kubelet/pkg/apis/podresources/...", "github.com/prometheus/client_golang/...", "./pkg/core/...", "./pkg/api/...", "./pkg/agent/..."},
		tests:    []string{"ANY"},
		why:      "the agent runs on every node: it reads the driver (go-nvml) and the kubelet (grpc, podresources), serves metrics (client_golang), and carries no scheduler with it",
	},
	{
		packages: "./manifests/image/...",
		may:      []string{"ANY"},
		why:      "a tool that makes images, in a module of its own",
	},
	{
		packages: "./manifests/...",
		may:      []string{"STD", "MACHINERY", "sigs.k8s.io/kustomize/...", "./manifests/..."},
		tests:    []string{"ANY"},
		why:      "manifests are data: whatever applies them can import them",
	},
	{
		packages: "./pkg/localcluster/...",
		may:      []string{"STD", "CLIENT", "k8s.io/component-helpers/...", "golang.org/x/sync/...", "./manifests/...", "./pkg/core/...", "./pkg/api/...", "./pkg/localcluster/..."},
		tests:    []string{"ANY"},
		why:      "a cluster to schedule on, for any scheduler: it starts real binaries, and links neither an API server nor the engine",
	},
	{
		packages: "./pkg/demo/...",
		may:      []string{"STD", "CLIENT", "./manifests/...", "./pkg/localcluster/...", "./pkg/webpage/...", "./pkg/demo/..."},
		tests:    []string{"ANY"},
		why:      "it judges the scheduler from outside, by what the API says: it shares no code with what it judges",
	},
	{
		packages: "./pkg/drills/...",
		may:      []string{"STD", "CLIENT", "./manifests/...", "./pkg/api/...", "./pkg/localcluster/...", "./pkg/drills/..."},
		tests:    []string{"ANY"},
		why:      "it judges the scheduler from outside, by what the API says, as the demo does",
	},
	{
		packages: "./pkg",
		tests:    []string{"STD"},
		why:      "holds this law and no code",
	},
	{
		packages: "./docs",
		may:      []string{"STD", "COMMAND"},
		tests:    []string{"ANY"},
		why:      "reads pages, for the tests of whatever the pages show",
	},
	{
		packages: "./docs/referencepage/...",
		may:      []string{"ANY"},
		why:      "writes the reference from what it is of",
	},
	{
		packages: "./cmd/berth/...",
		may:      []string{"STD", "COMMAND", "CLIENT", "k8s.io/component-base/...", "k8s.io/kubernetes/cmd/kube-scheduler/app/...", "./pkg/...", "./cmd/berth/..."},
		mayNot:   []string{"./pkg/localcluster/..."},
		tests:    []string{"ANY"},
		why:      "puts the engine and its plugins into kube-scheduler's own command; anything else of kube-scheduler goes through pkg/engine",
	},
	{
		packages: "./cmd/...",
		may:      []string{"ANY"},
		mayNot:   []string{"k8s.io/kubernetes/..."},
		tests:    []string{"ANY"},
		why:      "commands compose packages; only cmd/berth is a scheduler",
	},
	{
		packages: "./test/...",
		may:      []string{"ANY"},
		why:      "tests of the whole may look at all of it",
	},
	{
		packages: "./bench/...",
		may:      []string{"ANY"},
		why:      "benchmarks run inside kube-scheduler's own harness, and measure all of it",
	},
}

// groups names sets of patterns that several rows share.
var groups = map[string][]string{
	"MACHINERY": {"k8s.io/apimachinery/...", "k8s.io/utils/..."},
	"CLIENT":    {"k8s.io/apimachinery/...", "k8s.io/utils/...", "k8s.io/api/...", "k8s.io/client-go/...", "k8s.io/klog/v2/..."},
	"COMMAND":   {"github.com/spf13/cobra/...", "github.com/spf13/pflag/..."},
	"TESTING":   {"github.com/google/go-cmp/...", "pgregory.net/rapid/..."},
}

const module = "github.com/berth-dev/berth"

func TestImports(t *testing.T) {
	files, err := goFiles("..", parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("found only %d Go files", len(files))
	}
	for _, file := range files {
		for _, violation := range violations(file) {
			t.Error(violation)
		}
	}
}

// mostFiles is how many files that are no tests a package of state or engine has at most. There a file
// is part of one whole, unlike the commands of berthctl or the dialects, which a reader takes one by one.
const mostFiles = 15

func TestPackagesAreSmall(t *testing.T) {
	files, err := goFiles("..", parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, file := range files {
		if !file.test && (strings.HasPrefix(file.pkg, "./pkg/state/") || strings.HasPrefix(file.pkg, "./pkg/engine")) {
			count[file.pkg]++
		}
	}
	if len(count) < 10 {
		t.Fatalf("found only the packages %v", count)
	}
	for pkg, n := range count {
		if n > mostFiles {
			t.Errorf("%s has %d files, and %d at most are to be read at a glance: divide it by subject", pkg, n, mostFiles)
		}
	}
}

// TestCoreIsPure checks what imports do not show: time.Duration is a value,
// time.Now is not.
func TestCoreIsPure(t *testing.T) {
	files, err := goFiles("core", parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.test {
			continue
		}
		for _, impurity := range impurities(file.syntax) {
			t.Errorf("pkg/core/%s %s: the core decides from its arguments alone, so that a decision can be replayed", file.name, impurity)
		}
	}
}

func TestViolations(t *testing.T) {
	tests := []struct {
		name string
		file source
		want string // in the one violation; "" for none
	}{
		{"core imports core", source{pkg: "./pkg/core/gang", imports: []string{"slices", "./pkg/core/pack"}}, ""},
		{"core imports Kubernetes", source{pkg: "./pkg/core/gang", imports: []string{"k8s.io/api/core/v1"}}, "without Kubernetes"},
		{"core imports upwards", source{pkg: "./pkg/core/gang", imports: []string{"./pkg/dialect"}}, "must not import ./pkg/dialect"},
		{"core does I/O", source{pkg: "./pkg/core/cluster", imports: []string{"os"}}, "must not import os"},
		{"core logs", source{pkg: "./pkg/core/gang", imports: []string{"log/slog"}}, "must not import log/slog"},
		{"core imports a test library", source{pkg: "./pkg/core/gang", imports: []string{"pgregory.net/rapid"}}, "must not import pgregory.net/rapid"},
		{"core's tests read files", source{pkg: "./pkg/core/gang", test: true, imports: []string{"os", "testing", "github.com/google/go-cmp/cmp", "pgregory.net/rapid"}}, ""},
		{"core's tests import Kubernetes", source{pkg: "./pkg/core/gang", test: true, imports: []string{"k8s.io/api/core/v1"}}, "must not import k8s.io/api/core/v1"},
		{"a name that only begins alike", source{pkg: "./pkg/core/gang", imports: []string{"./pkg/corelike"}}, "must not import ./pkg/corelike"},
		{"dialect asks a server", source{pkg: "./pkg/dialect", imports: []string{"k8s.io/client-go/kubernetes"}}, "asks no server"},
		{"plugin against the framework", source{pkg: "./pkg/plugins/deviceset", imports: []string{"k8s.io/kube-scheduler/framework", "./pkg/state/device"}}, ""},
		{"plugin against the scheduler", source{pkg: "./pkg/plugins/deviceset", imports: []string{"k8s.io/kubernetes/pkg/scheduler/framework"}}, "published framework"},
		{"plugin's test against the scheduler", source{pkg: "./pkg/plugins/deviceset", test: true, imports: []string{"k8s.io/kubernetes/pkg/scheduler/framework/runtime"}}, ""},
		{"engine against the scheduler", source{pkg: "./pkg/engine", imports: []string{"k8s.io/kubernetes/pkg/scheduler"}}, ""},
		{"local cluster with the engine", source{pkg: "./pkg/localcluster", imports: []string{"./pkg/engine"}}, "must not import ./pkg/engine"},
		{"command against the app", source{pkg: "./cmd/berth", imports: []string{"k8s.io/kubernetes/cmd/kube-scheduler/app", "./pkg/engine"}}, ""},
		{"command against the scheduler", source{pkg: "./cmd/berth", imports: []string{"k8s.io/kubernetes/pkg/scheduler"}}, "goes through pkg/engine"},
		{"test imports a command", source{pkg: "./test/integration", test: true, imports: []string{"./cmd/berth"}}, "nothing imports a command"},
		{"command imports another", source{pkg: "./cmd/berth-local", imports: []string{"./cmd/berth"}}, "nothing imports a command"},
		{"command imports its own part", source{pkg: "./cmd/berth-local", imports: []string{"./cmd/berth-local/report"}}, ""},
		{"package in no layer", source{pkg: "./pkg/util", imports: []string{"fmt"}}, "say in the law where it belongs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := violations(test.file)
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("got %q, want none", got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("got %q, want one with %q", got, test.want)
			}
		})
	}
}

func TestImpurities(t *testing.T) {
	tests := []struct {
		statement string
		want      int
	}{
		{"var d time.Duration = 3 * time.Second; _ = d", 0},
		{"_ = time.Now()", 1},
		{"clock := time.Since; _ = clock", 1},
		{"go func() {}()", 1},
	}
	for _, test := range tests {
		syntax, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"time\"\nfunc f() {"+test.statement+"}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := impurities(syntax); len(got) != test.want {
			t.Errorf("%s: got %q, want %d", test.statement, got, test.want)
		}
	}
}

// Each row must give its reason, and use only groups that exist.
func TestLawIsWellFormed(t *testing.T) {
	for _, row := range law {
		if row.why == "" {
			t.Errorf("%s has no reason", row.packages)
		}
		for _, pattern := range slices.Concat(row.may, row.mayNot, row.tests) {
			if pattern == strings.ToUpper(pattern) && pattern != "STD" && pattern != "ANY" && groups[pattern] == nil {
				t.Errorf("%s: no group %q", row.packages, pattern)
			}
		}
	}
}

// A source is one Go file as the law sees it.
type source struct {
	name    string // relative to where the search began
	pkg     string // import path, ours with "./" for the module
	test    bool
	imports []string // as pkg
	syntax  *ast.File
}

// violations returns what the law has against the file, one sentence each.
func violations(file source) (found []string) {
	at := slices.IndexFunc(law, func(row layer) bool { return match(row.packages, file.pkg) })
	if at < 0 {
		return []string{fmt.Sprintf("%s: package %s is in no layer: say in the law where it belongs", file.name, file.pkg)}
	}
	row := law[at]
	for _, imported := range file.imports {
		if match("./cmd/...", imported) {
			if command(imported) != command(file.pkg) {
				found = append(found, fmt.Sprintf("%s must not import %s: nothing imports a command", file.name, imported))
			}
			continue
		}
		allowed := matchAny(row.may, imported) && !matchAny(row.mayNot, imported) ||
			file.test && (matchAny(row.tests, imported) || imported == file.pkg)
		if !allowed {
			found = append(found, fmt.Sprintf("%s must not import %s (%s: %s)", file.name, imported, row.packages, row.why))
		}
	}
	return found
}

// impurities returns where a file reads the clock or starts a goroutine.
func impurities(file *ast.File) (found []string) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			found = append(found, "starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := node.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, node.Sel.Name) {
				found = append(found, "uses time."+node.Sel.Name)
			}
		}
		return true
	})
	return found
}

// command returns the command that a package under ./cmd belongs to, or "".
func command(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, "./cmd/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, pkg) })
}

// match reports whether a pattern of the law matches a package.
func match(pattern, pkg string) bool {
	switch {
	case pattern == "ANY":
		return true
	case pattern == "STD": // no dot in the first element: not a domain, and not "."
		first, _, _ := strings.Cut(pkg, "/")
		return !strings.Contains(first, ".")
	case groups[pattern] != nil:
		return matchAny(groups[pattern], pkg)
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	return pkg == pattern
}

// goFiles parses the Go files below dir, which is relative to this package,
// except those that the go command ignores and those in directories of build
// output.
func goFiles(dir string, mode parser.Mode) ([]source, error) {
	var files []source
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if file != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) ||
			entry.IsDir() && slices.Contains([]string{"testdata", "vendor", "bin", "out"}, name) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, content, mode)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		parsed := source{
			name:   relative,
			pkg:    "./" + path.Dir(relative),
			test:   strings.HasSuffix(name, "_test.go"),
			syntax: syntax,
		}
		for _, clause := range syntax.Imports {
			imported, err := strconv.Unquote(clause.Path.Value)
			if err != nil {
				return err
			}
			if rest, ok := strings.CutPrefix(imported, module); ok && (rest == "" || rest[0] == '/') {
				imported = "." + rest
			}
			parsed.imports = append(parsed.imports, imported)
		}
		files = append(files, parsed)
		return nil
	})
	return files, err
}
