package localcluster

import (
	"bytes"
	"context"
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
		return given("berth")
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

// BuildKubeScheduler builds the kube-scheduler of the control plane's version into bin/ of the
// repository, and returns its path. Outside the repository it takes the one in $BERTH_BIN.
func BuildKubeScheduler(ctx context.Context) (string, error) {
	t := target{name: "kube-scheduler", pkg: "k8s.io/kubernetes/cmd/kube-scheduler", ldflags: kubernetesLdflags()}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	if root == "" {
		return given(t.name)
	}
	dir := filepath.Join(root, "bin")
	if err := t.build(ctx, root, dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, t.name), nil
}

// given is a scheduler in $BERTH_BIN.
func given(name string) (string, error) {
	binary := filepath.Join(os.Getenv(BinariesEnv), name)
	if _, err := os.Stat(binary); os.Getenv(BinariesEnv) == "" || err != nil {
		return "", fmt.Errorf("%s can only be built inside Berth's repository: run there, or set %s to a directory that has it", name, BinariesEnv)
	}
	return binary, nil
}
