package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildScheduler builds cmd/berth into bin/ of the repository, and returns its
// path. Outside the repository it takes the one in $BERTH_BIN.
func BuildScheduler(ctx context.Context) (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}
	if root == "" {
		binary := filepath.Join(os.Getenv(BinariesEnv), "berth")
		if _, err := os.Stat(binary); os.Getenv(BinariesEnv) == "" || err != nil {
			return "", errors.New("the scheduler can only be built inside Berth's repository: run there, or set " +
				BinariesEnv + " to a directory that has berth")
		}
		return binary, nil
	}
	binary := filepath.Join(root, "bin", "berth")
	partial := fmt.Sprintf("%s.%d.partial", binary, os.Getpid())
	defer os.Remove(partial)
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", partial, "./cmd/berth")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("building the scheduler: %w\n%s", err, bytes.TrimSpace(output))
	}
	if err := os.Rename(partial, binary); err != nil {
		return "", fmt.Errorf("putting the scheduler in place: %w", err)
	}
	return binary, nil
}
