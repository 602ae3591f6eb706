package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/test/operators"
)

var (
	whichOperators = flag.String("operators", "common", "the operators that TestOperators runs: common, all, or names")
	operatorsPage  = flag.String("operators-page", "", "the file that TestOperators writes its results to")
)

// TestOperators runs released operators, which make the pods, and plays the scenario of
// each: see package operators.
func TestOperators(t *testing.T) {
	t.Parallel()
	chosen := chooseOperators(t)
	e, err := newLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	e.maySuspend(t)
	var results []operators.Result
	for _, o := range chosen {
		result := operators.Result{Operator: o, Outcomes: map[string]operators.Outcome{}}
		t.Run(o.Name(), func(t *testing.T) { e.playOperator(t, o, &result) })
		results = append(results, result)
	}
	summary := &strings.Builder{}
	for _, r := range results {
		for _, row := range operators.Rows() {
			fmt.Fprintf(summary, "%-16s %-20s %s\n", r.Operator.Name(), row, r.Outcomes[row])
		}
	}
	t.Logf("results:\n%s", summary)
	if *operatorsPage != "" {
		page := operators.Page(results, localcluster.KubernetesVersion(), time.Now())
		if err := os.MkdirAll(filepath.Dir(*operatorsPage), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*operatorsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func chooseOperators(t *testing.T) []operators.Operator {
	t.Helper()
	all := operators.All()
	switch *whichOperators {
	case "all":
		return all
	case "common":
		return slices.DeleteFunc(all, func(o operators.Operator) bool { return !o.Common })
	}
	names := strings.Split(*whichOperators, ",")
	chosen := slices.DeleteFunc(all, func(o operators.Operator) bool { return !slices.Contains(names, o.Name()) })
	if len(chosen) != len(names) {
		t.Fatalf("-operators=%s: there are %s", *whichOperators, operatorNames())
	}
	return chosen
}

func operatorNames() string {
	var names []string
	for _, o := range operators.All() {
		names = append(names, o.Name())
	}
	return strings.Join(names, ", ")
}

// playOperator plays the scenario of one operator, and notes what came of each row.
func (e *environment) playOperator(t *testing.T, o operators.Operator, result *operators.Result) {
	scenario, err := o.Scenario()
	if err != nil {
		t.Fatal(err)
	}
	result.Scenario = scenario
	for _, name := range o.Foreign {
		e.define(t, name, foreignKinds[name])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	running, err := o.Start(ctx, e.Cluster, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if errors.Is(err, localcluster.ErrNotDownloaded) && *whichOperators == "common" {
		t.Skipf("%s is not tried: %v", o.Title, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", o.Title, running.Log())
		}
		if err := running.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c := &caseRun{environment: e, t: t, whole: t, namespace: e.namespace(t), operator: running}
	t.Cleanup(func() { c.tidy() })
	if len(o.Schedulers) > 0 {
		c.args = append(c.args, "--config="+e.profiles(t, o.Schedulers))
	}
	c.program = e.scheduler(t, c.args...)
	c.play(scenario.Prepare)
	for _, row := range scenario.Rows {
		if row.Cannot != "" {
			result.Outcomes[row.Name] = operators.Cannot
			continue
		}
		result.Outcomes[row.Name] = operators.Fails
		fmt.Fprintf(os.Stderr, "%s: %s\n", o.Title, row.Name)
		t.Run(row.Name, func(t *testing.T) {
			outer := c.t
			c.t = t
			defer func() { c.t = outer }()
			c.play(row.Lines)
			if !t.Failed() {
				result.Outcomes[row.Name] = operators.Works
			}
		})
	}
	if err := running.Exited(); err != nil && !t.Failed() {
		t.Error(err)
	}
}

// foreignKinds are kinds of other projects that operators write objects of, by the names
// of their definitions.
var foreignKinds = map[string]schema.GroupVersionResource{"scheduler-plugins": podGroups, "volcano": volcanoPodGroups}

// profiles writes the configuration of manifests/base with the same profile again under
// each name, as it advises.
func (e *environment) profiles(t *testing.T, names []string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "manifests", "base", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := object(t, string(text))
	profiles, _, err := unstructured.NestedSlice(config.Object, "profiles")
	if err != nil || len(profiles) != 1 {
		t.Fatalf("the configuration has %d profiles: %v", len(profiles), err)
	}
	for _, name := range names {
		profile := maps.Clone(profiles[0].(map[string]any))
		profile["schedulerName"] = name
		profiles = append(profiles, profile)
	}
	config.Object["profiles"] = profiles
	config.Object["leaderElection"] = map[string]any{"leaderElect": false}
	config.Object["clientConnection"].(map[string]any)["kubeconfig"] = e.kubeconfig
	written, err := yaml.Marshal(config.Object)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, written, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// play plays commands.
func (c *caseRun) play(lines []operators.Line) {
	c.t.Helper()
	for _, line := range lines {
		c.where = line.At + ": " + line.Text
		words := line.Words()
		c.do(words[0], words[1:])
	}
}
