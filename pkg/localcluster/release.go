package localcluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Release is a program of another module, at one version. It is built with the module
// graph of that version, which does not touch the repository's own.
type Release struct {
	// Name is the program's name: "jobset". Module and Version are as the module proxy has
	// them, and Package is the program's, from the root of the module: "./cmd".
	Name, Module, Version, Package string
	// Files are added to the module: paths from its root, and contents. The program may be one
	// of them, which uses the module as a library.
	Files map[string]string
	// Replace takes modules from elsewhere: where the release was built from a part of its
	// repository that is not in the module.
	Replace []Replacement
}

// A Replacement is the version of a module that a release is built with instead of the one
// that it names, with files added to it: paths from the root of the module, and contents.
type Replacement struct {
	Module, Version string
	Files           map[string]string
}

// A BuiltRelease is a release on this machine.
type BuiltRelease struct {
	// Binary is the path of the program, Source the directory of the module: its custom
	// resource definitions are there.
	Binary, Source string
}

// ErrNotDownloaded says that a module is neither in the module cache nor to be had from the
// module proxy.
var ErrNotDownloaded = errors.New("the module cannot be downloaded")

// ReleasesEnv names the environment variable with the directory of built releases.
const ReleasesEnv = "BERTH_RELEASES"

// EnsureRelease returns a release and builds it if that was not done before. It needs the
// module proxy for what is not in the module cache. The binary lies in the directory
// releases beside those of EnsureBinaries, or in $BERTH_RELEASES; its name says the version,
// and a hash of all that decides what it is. Only one process builds at a time.
func EnsureRelease(ctx context.Context, dir string, r Release, progress func(string)) (BuiltRelease, error) {
	dir, _, err := binaryDirectory(dir)
	if err != nil {
		return BuiltRelease{}, err
	}
	dir = filepath.Join(dir, "releases")
	if own := os.Getenv(ReleasesEnv); own != "" {
		dir = own
	}
	work := filepath.Join(dir, "modules", r.Name)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return BuiltRelease{}, fmt.Errorf("making %q: %w", work, err)
	}
	source, err := downloadModule(ctx, work, r.Module, r.Version)
	if err != nil {
		return BuiltRelease{}, err
	}
	built := BuiltRelease{Binary: filepath.Join(dir, r.file()), Source: source}
	if there(built.Binary) {
		return built, nil
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"), progress)
	if err != nil {
		return BuiltRelease{}, err
	}
	defer unlock()
	if there(built.Binary) { // someone else built it while we waited
		return built, nil
	}
	progress(fmt.Sprintf("building %s %s (some minutes the first time)", r.Name, r.Version))
	return built, r.build(ctx, work, built)
}

// file is the name of the binary.
func (r Release) file() string {
	hash := sha256.New()
	add := func(files map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(hash, " %s:%q", name, files[name])
		}
	}
	fmt.Fprintf(hash, "%s %s", r.Module, r.Package)
	add(r.Files)
	for _, replacement := range r.Replace {
		fmt.Fprintf(hash, " %s@%s", replacement.Module, replacement.Version)
		add(replacement.Files)
	}
	return fmt.Sprintf("%s-%s-%s", r.Name, r.Version, hex.EncodeToString(hash.Sum(nil))[:8])
}

// build builds the release in the module cache, or in a copy if files are added, with a module
// file of its own in work. The binary appears whole or not at all.
func (r Release) build(ctx context.Context, work string, built BuiltRelease) error {
	source := built.Source
	if len(r.Files) > 0 {
		var err error
		if source, err = (Replacement{Module: r.Module, Version: r.Version, Files: r.Files}).prepare(ctx, work); err != nil {
			return err
		}
	}
	mod := filepath.Join(work, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(built.Source, name))
		if err != nil {
			return fmt.Errorf("reading the module file of %s: %w", r.Module, err)
		}
		if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
			return fmt.Errorf("copying the module file of %s: %w", r.Module, err)
		}
	}
	for _, replacement := range r.Replace {
		to, err := replacement.prepare(ctx, work)
		if err != nil {
			return err
		}
		if _, err := runGo(ctx, work, "mod", "edit", "-replace="+replacement.Module+"="+to, mod); err != nil {
			return fmt.Errorf("replacing %s for %s: %w", replacement.Module, r.Name, err)
		}
	}
	partial := built.Binary + ".partial"
	defer os.Remove(partial)
	if _, err := runGo(ctx, source, "build", "-mod=mod", "-modfile="+mod, "-ldflags=-s -w", "-o", partial, r.Package); err != nil {
		return fmt.Errorf("building %s %s: %w", r.Name, r.Version, err)
	}
	if err := os.Rename(partial, built.Binary); err != nil {
		return fmt.Errorf("putting %q in place: %w", r.Name, err)
	}
	return nil
}

// prepare returns what the module is replaced by: a copy with the files added.
func (r Replacement) prepare(ctx context.Context, work string) (string, error) {
	source, err := downloadModule(ctx, work, r.Module, r.Version)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(work, path.Base(r.Module)+"@"+r.Version)
	if err := os.RemoveAll(copied); err != nil {
		return "", fmt.Errorf("removing an older copy of %s: %w", r.Module, err)
	}
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		return "", fmt.Errorf("copying %s: %w", r.Module, err)
	}
	for name, text := range r.Files {
		file := filepath.Join(copied, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			return "", fmt.Errorf("adding a file to %s: %w", r.Module, err)
		}
	}
	return copied, nil
}

// downloadModule returns the directory of a module in the module cache.
func downloadModule(ctx context.Context, work, module, version string) (string, error) {
	out, err := runGo(ctx, work, "mod", "download", "-json", module+"@"+version)
	var said struct{ Dir, Error string }
	if decoding := json.Unmarshal(out, &said); decoding == nil && said.Error != "" {
		return "", fmt.Errorf("downloading %s %s: %w: %s", module, version, ErrNotDownloaded, said.Error)
	}
	if err == nil && said.Dir == "" {
		err = errors.New("the go command says no directory")
	}
	if err != nil {
		return "", fmt.Errorf("downloading %s %s: %w", module, version, err)
	}
	return said.Dir, nil
}

// runGo runs the go command outside of the repository's module and returns its output.
func runGo(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var problems bytes.Buffer
	cmd.Stderr = &problems
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if args[0] == "mod" && args[1] == "download" {
		cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod", "GO111MODULE=on")
	}
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, lastLines(problems.String(), 20))
	}
	return out, err
}

// lastLines returns the last lines of a text, without those of downloads.
func lastLines(text string, most int) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "go: downloading ")
	})
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// there reports whether there is a file.
func there(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
