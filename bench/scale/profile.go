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
	"strconv"
	"time"

	"k8s.io/client-go/rest"
)

// reasonFunctions are those that find out why something waits, and see to it that it is told:
// in the scheduling cycle, beside it, and on the way to the API server.
const reasonFunctions = `engine\.\(\*(explainer|conditionWriter)\)|engine/why\.` +
	// Not observeRefusals: upstream puts back into its queue what was refused below it.
	`|engine\.\(\*reporter\)\.(Run|report|Decided|Changed|Bound|did)` +
	`|engine\.\(\*budgetClient\)\.(refused|newsOfNative)|engine\.podCalls\.PatchPodStatus|engine\.\(\*EventBudget\)` +
	`|engine\.\(\*(engine|reclaimer)\)\.entitlement|state\.\(\*Queues\)\.(Why|Stuck)` +
	`|fastpath\.\(\*Path\)\.(whyNoPlace|Judge|KnownNever|diagnose)|framework\.\(\*FitError\)\.Error`

// wordFunctions are the above, and those that write events and the status of native groups,
// most of which tell here that gangs were placed.
const wordFunctions = reasonFunctions + `|engine\.budgetPodGroups\.Patch|client-go/tools/events\.`

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
func shareOf(ctx context.Context, profile, functions string) (float64, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", "-focus="+functions, profile).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("reading the profile %s: %w\n%s", profile, err, out)
	}
	found := accounting.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("reading the profile %s: no share is in\n%s", profile, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
