package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"testing"
)

// berthctl check says of a real API server what is missing, and ends with 1 where that keeps
// pods waiting.
func TestCheck(t *testing.T) {
	e := stock(t)
	berthctl := newPrompt(t).binary
	// check returns the status of each check, and that of the command.
	check := func(ctx context.Context, args ...string) (map[string]string, int, error) {
		cmd := exec.CommandContext(ctx, berthctl, append([]string{"check", "-o", "json", "--kubeconfig", e.Kubeconfig()}, args...)...)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return nil, 0, err
		}
		var answer struct {
			Checks []struct{ Check, Status string }
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			return nil, 0, fmt.Errorf("reading %q: %w", out, err)
		}
		found := map[string]string{}
		for _, c := range answer.Checks {
			found[c.Check] = c.Status
		}
		return found, cmd.ProcessState.ExitCode(), nil
	}
	expect := func(status int, want map[string]string, args ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("check %v ends with %d", args, status), func(ctx context.Context) error {
			found, got, err := check(ctx, args...)
			if err != nil {
				return err
			}
			for name, is := range want {
				if found[name] != is {
					return fmt.Errorf("%s is %q, want %q, of %v", name, found[name], is, found)
				}
			}
			if got != status {
				return fmt.Errorf("status %d, of %v", got, found)
			}
			return nil
		})
	}
	// The scheduler of these tests is a process, and no Deployment.
	fine := map[string]string{"version": "OK", "scheduler": "WARN", "rights": "OK", "queues": "OK", "levels": "OK", "devices": "OK"}
	expect(1, map[string]string{"leader": "FAIL", "rights": "OK"})
	e.scheduler(t, "--leader-elect=true")
	fine["leader"] = "OK"
	expect(0, fine)
	expect(1, map[string]string{"leader": "OK", "rights": "FAIL"}, "--service-account", "default")
}
