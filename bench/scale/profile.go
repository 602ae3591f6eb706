package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// function names functions of a program as its profile does: those of a package, or of a type of
// it if receiver is not empty, or one of them if name is not empty either.
type function struct {
	pkg, receiver, name string
}

const (
	enginePackage     = "github.com/berth-dev/berth/pkg/engine"
	fastpathPackage   = enginePackage + "/fastpath"
	preemptionPackage = enginePackage + "/preemption"
	reportingPackage  = enginePackage + "/reporting"
	queueingPackage   = "github.com/berth-dev/berth/pkg/state/queueing"
)

// reasonFunctions are those that find out why something waits, and see to it that it is told:
// in the scheduling cycle, beside it, and on the way to the API server. observeRefusals is not
// among them: upstream puts back into its queue what was refused below it.
var reasonFunctions = []function{
	{pkg: reportingPackage, receiver: "(*Explainer)"},
	{pkg: reportingPackage, receiver: "(*ConditionWriter)"},
	{pkg: reportingPackage, receiver: "(*EventBudget)"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "Run"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "report"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "Decided"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "Changed"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "Bound"},
	{pkg: reportingPackage, receiver: "(*Reporter)", name: "did"},
	{pkg: reportingPackage, receiver: "(*Client)", name: "refused"},
	{pkg: reportingPackage, receiver: "(*Client)", name: "newsOfNative"},
	{pkg: reportingPackage, receiver: "podCalls", name: "PatchPodStatus"},
	{pkg: enginePackage, receiver: "(*engine)", name: "entitlement"},
	{pkg: preemptionPackage, receiver: "(*Reclaimer)", name: "Entitlement"},
	{pkg: enginePackage + "/why"},
	{pkg: fastpathPackage, receiver: "(*Path)", name: "whyNoPlace"},
	{pkg: fastpathPackage, receiver: "(*Path)", name: "Judge"},
	{pkg: fastpathPackage, receiver: "(*Path)", name: "KnownNever"},
	{pkg: fastpathPackage, receiver: "(*Path)", name: "diagnose"},
	{pkg: queueingPackage, receiver: "(*Queues)", name: "Why"},
	{pkg: queueingPackage, receiver: "(*Queues)", name: "Stuck"},
	{pkg: "k8s.io/kubernetes/pkg/scheduler/framework", receiver: "(*FitError)", name: "Error"},
}

// wordFunctions are the above, and those that write events and the status of native groups,
// most of which tell here that gangs were placed.
var wordFunctions = append(slices.Clone(reasonFunctions),
	function{pkg: reportingPackage, receiver: "budgetPodGroups", name: "Patch"},
	function{pkg: "k8s.io/client-go/tools/events"},
)

// symbols returns the regular expression of a profile's symbols that are functions.
func symbols(functions []function) string {
	var all []string
	for _, f := range functions {
		symbol := "^" + regexp.QuoteMeta(f.pkg+".")
		if f.receiver != "" {
			symbol += regexp.QuoteMeta(f.receiver + ".")
		}
		if f.name != "" {
			// What is defined within it is named after it.
			symbol += regexp.QuoteMeta(f.name) + `($|\.)`
		}
		all = append(all, symbol)
	}
	return strings.Join(all, "|")
}

// profile has a scheduler profile itself for a while, and returns the file.
func (w *world) profile(ctx context.Context, p *process, span time.Duration) (string, error) {
	config := rest.CopyConfig(w.AdminConfig())
	// The certificate is one that the scheduler made for itself.
	config.TLSClientConfig.Insecure, config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = true, nil, ""
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return "", fmt.Errorf("making a client: %w", err)
	}
	path := fmt.Sprintf("https://127.0.0.1:%d/debug/pprof/profile?seconds=%d", p.port, int(span/time.Second))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", fmt.Errorf("profiling %s: %w", p.contender.name, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("profiling %s: %w", p.contender.name, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("profiling %s: %w", p.contender.name, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("profiling %s: %s: %s", p.contender.name, response.Status, content)
	}
	dir := w.Dir()
	if w.profiles != "" {
		dir = w.profiles
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("keeping a profile: %w", err)
		}
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%d.cpu", p.contender.name, w.runs))
	return file, os.WriteFile(file, content, 0o644)
}

var accounting = regexp.MustCompile(`Showing nodes accounting for [^,]+, ([0-9.]+)% of`)

// shareOf returns the share of a CPU profile that is spent in functions and in what they call, in
// percent.
func shareOf(ctx context.Context, profile string, functions []function) (float64, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", "-focus="+symbols(functions), profile).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("reading the profile %s: %w\n%s", profile, err, out)
	}
	found := accounting.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("reading the profile %s: no share is in\n%s", profile, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
