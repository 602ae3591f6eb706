package localcluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kubernetesVersion is the version that go.tools.mod pins, as the API server
// that we build reports it.
const kubernetesVersion = "v1.37.2"

// KubernetesVersion is the version of the control plane that a cluster runs.
func KubernetesVersion() string { return kubernetesVersion }

// BinariesEnv names the environment variable with the directory of the
// binaries, for where neither the repository nor a build is at hand.
const BinariesEnv = "BERTH_BIN"

// modulePath is how the repository's go.mod is recognised.
const modulePath = "github.com/berth-dev/berth"

// stampFile, beside the binaries, holds what they were built from.
const stampFile = "localcluster.stamp"

// A target is one binary and how it is built.
type target struct {
	name    string
	pkg     string
	ldflags string
}

func targets() []target {
	ldflags := kubernetesLdflags()
	return []target{
		{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", ldflags: "-s -w"},
		{name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", ldflags: ldflags},
		{name: controllerManager, pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", ldflags: ldflags},
	}
}

// kubernetesLdflags have a binary of Kubernetes tell its version.
func kubernetesLdflags() string {
	const version = "k8s.io/component-base/version"
	major, rest, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
		version, kubernetesVersion, major, minor)
}

// EnsureBinaries returns a directory that holds etcd, kube-apiserver and
// kube-controller-manager, and builds them there if they are absent or
// go.tools.mod or the version of Go has changed since. The directory is dir if
// it is given, else $BERTH_BIN, else bin/ in the repository that the working
// directory is in, else a folder of the user's cache. Binaries that something
// else put there are used as they are. Only one process builds at a time.
func EnsureBinaries(ctx context.Context, dir string, progress func(string)) (string, error) {
	dir, root, err := binaryDirectory(dir)
	if err != nil {
		return "", err
	}
	if root == "" {
		if missing := absent(dir); len(missing) > 0 {
			return "", fmt.Errorf("%s not found in %s, and can only be built inside the %s repository: run there, or set %s to a directory that has them",
				strings.Join(missing, " and "), dir, modulePath, BinariesEnv)
		}
		return dir, nil
	}
	stamp, err := currentStamp(ctx, root)
	if err != nil {
		return "", err
	}
	if upToDate(dir, stamp) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making %q: %w", dir, err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, stampFile+".lock"), progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if upToDate(dir, stamp) { // someone else built them while we waited
		return dir, nil
	}
	for i, t := range targets() {
		progress(fmt.Sprintf("building %s (%d of %d; several minutes the first time, seconds with a warm build cache)", t.name, i+1, len(targets())))
		if err := t.build(ctx, root, dir); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, stampFile), []byte(stamp), 0o644); err != nil {
		return "", fmt.Errorf("writing %q: %w", stampFile, err)
	}
	return dir, nil
}

// binaryDirectory returns the directory of binaries, as EnsureBinaries describes it, and
// that of the repository, or "" outside of it.
func binaryDirectory(dir string) (binaries, root string, err error) {
	if root, err = moduleRoot(); err != nil {
		return "", "", err
	}
	if dir == "" {
		dir = os.Getenv(BinariesEnv)
	}
	if dir == "" && root != "" {
		dir = filepath.Join(root, "bin")
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", "", fmt.Errorf("finding a place for the control plane's binaries (set %s): %w", BinariesEnv, err)
		}
		dir = filepath.Join(cache, "berth", "bin")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", fmt.Errorf("finding the control plane's binaries: %w", err)
	}
	return dir, root, nil
}

// build builds the target into dir. The binary appears whole or not at all.
func (t target) build(ctx context.Context, root, dir string) error {
	output := filepath.Join(dir, t.name)
	partial := output + ".partial"
	defer os.Remove(partial)
	cmd := exec.CommandContext(ctx, "go", "build", "-modfile=go.tools.mod", "-ldflags="+t.ldflags, "-o", partial, t.pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("building %q from %s: %w\n%s", t.name, t.pkg, err, bytes.TrimSpace(out))
	}
	if err := os.Rename(partial, output); err != nil {
		return fmt.Errorf("putting %q in place: %w", t.name, err)
	}
	return nil
}

// absent names the binaries that dir lacks.
func absent(dir string) []string {
	var names []string
	for _, t := range targets() {
		if info, err := os.Stat(filepath.Join(dir, t.name)); err != nil || info.IsDir() {
			names = append(names, t.name)
		}
	}
	return names
}

// upToDate reports whether dir has all binaries, built from what stamp says or
// put there by something else than us.
func upToDate(dir, stamp string) bool {
	if len(absent(dir)) > 0 {
		return false
	}
	was, err := os.ReadFile(filepath.Join(dir, stampFile))
	return errors.Is(err, os.ErrNotExist) || err == nil && string(was) == stamp
}

// currentStamp is a hash of all that decides what the binaries are: the pinned
// modules, the version of Go and the flags.
func currentStamp(ctx context.Context, root string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(root, "go.tools.mod"))
	if err != nil {
		return "", fmt.Errorf("reading the pinned versions of the control plane: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = root
	version, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("asking for the version of Go: %w", err)
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s\n%v", mod, version, targets())
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Repository is the directory of this module's repository, at or above the working
// directory, or "" if that is not inside it.
func Repository() (string, error) { return moduleRoot() }

// moduleRoot is the directory of this module's go.mod, at or above the working
// directory, or "" if it is not inside the repository.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module "+modulePath+"\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// lock takes the file lock at path, waiting for it if need be. The kernel
// releases it if we die.
func lock(ctx context.Context, path string, progress func(string)) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %q: %w", path, err)
		}
		if !told {
			progress("waiting for another process that is building the same")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("locking %q: %w", path, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
