package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// built are the programs of this machine, which are built once for all tests: as every other build
// of the repository is, as one without its paths would take minutes.
var built programsOnce

type programsOnce struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// folder returns the folder with the programs.
func (p *programsOnce) folder(t *testing.T) string {
	t.Helper()
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "berth-image-test-"); p.err != nil {
			return
		}
		for _, name := range []string{"berth", "berth-agent"} {
			flags := linkerFlags(name, "v1.2.3+4", "0123abc")
			cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags", flags, "-o", filepath.Join(p.dir, name+"-"+runtime.GOARCH), "./cmd/"+name)
			cmd.Dir = "../.."
			cgo := "0"
			if _, err := exec.LookPath("gcc"); err == nil && programs[name].cgo {
				cgo = "1"
			}
			cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
			if out, err := cmd.CombinedOutput(); err != nil {
				p.err = fmt.Errorf("building %s: %w\n%s", name, err, out)
				return
			}
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.dir
}

// build runs the command, and returns what it said and the image for this machine of the layout
// that it wrote.
func build(t *testing.T, of string, args ...string) (said string, image v1.Image) {
	t.Helper()
	out := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(root, out)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	cmd := command()
	cmd.SetOut(&text)
	cmd.SetErr(t.Output())
	cmd.SetArgs(append([]string{"--root", root, "--out", relative, "--programs", built.folder(t), "--images", of, "--arches", runtime.GOARCH, "--epoch", "1700000000"}, args...))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	top, err := layout.ImageIndexFromPath(filepath.Join(out, of))
	if err != nil {
		t.Fatal(err)
	}
	index := only(t, top)
	if err := validate.Index(index); err != nil {
		t.Errorf("the layout is not right: %v", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err = index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return text.String(), image
}

// only returns the only index in one.
func only(t *testing.T, top v1.ImageIndex) v1.ImageIndex {
	t.Helper()
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("the layout has %d entries, want the image's index alone", len(manifest.Manifests))
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// unpack writes the files of an image, as an engine would, to a folder of the test's.
func unpack(t *testing.T, image v1.Image) string {
	t.Helper()
	root := t.TempDir()
	content := mutate.Extract(image)
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s is of %d:%d, at %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		path := filepath.Join(root, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, data, os.FileMode(header.Mode))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The image of the scheduler is one program that starts, that says its version and runs as
// nobody, and another image of it is the same.
func TestScheduler(t *testing.T) {
	said, image := build(t, "berth", "--version", "v1.2.3+4", "--commit", "abc")
	again, _ := build(t, "berth", "--version", "v1.2.3+4", "--commit", "abc")
	if digest(said) == "" || digest(said) != digest(again) {
		t.Errorf("two images:\n%s%s", said, again)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != user || config.Architecture != runtime.GOARCH || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/berth" {
		t.Errorf("it runs %q as %q on %s", config.Config.Entrypoint, config.Config.User, config.Architecture)
	}
	root := unpack(t, image)
	// It needs nothing but itself.
	if libraries, err := librariesOf(filepath.Join(root, "berth")); err != nil || len(libraries) > 0 {
		t.Errorf("it takes %d libraries: %v", len(libraries), err)
	}
	version, err := exec.CommandContext(t.Context(), filepath.Join(root, "berth"), "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(version), "v1.2.3+4") {
		t.Errorf("it says %q: %v", version, err)
	}
	var list cdx.BOM
	content, err := os.ReadFile(filepath.Join(root, "usr/share/sbom/berth.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cdx.NewBOMDecoder(bytes.NewReader(content), cdx.BOMFileFormatJSON).Decode(&list); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range *list.Components {
		found = found || c.Name == "k8s.io/kubernetes" && strings.HasPrefix(c.Version, "v1.")
	}
	if !found {
		t.Errorf("k8s.io/kubernetes is not among the %d components", len(*list.Components))
	}
}

// digest returns the digest that the command said.
func digest(said string) string {
	_, digest, _ := strings.Cut(strings.TrimSpace(said), " ")
	return digest
}

// The agent's image has the C library that the agent takes: it starts with these files alone.
func TestAgent(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("there is no C compiler here")
	}
	said, image := build(t, "berth-agent")
	if again, _ := build(t, "berth-agent"); digest(said) != digest(again) {
		t.Errorf("two images:\n%s%s", said, again)
	}
	root := unpack(t, image)
	loader, _, _, err := linkage(filepath.Join(root, "berth-agent"))
	if err != nil {
		t.Fatal(err)
	}
	// The loader of the image is told to look nowhere but in the image.
	library, err := filepath.Glob(filepath.Join(root, "*", "*", "libc.so.6"))
	if err != nil || len(library) != 1 {
		t.Fatalf("there are %d C libraries in it: %v", len(library), err)
	}
	help, err := exec.CommandContext(t.Context(), filepath.Join(root, loader), "--inhibit-cache", "--library-path", filepath.Dir(library[0]), filepath.Join(root, "berth-agent"), "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(help), "Usage:") {
		t.Errorf("it says %q: %v", help, err)
	}
}

// What is pushed is what was written.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	said, _ := build(t, "berth", "--version", "v1.2.3+4", "--push", host+"/team")
	ref, err := name.NewTag(host + "/team/berth:v1.2.3-4")
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := got.Digest()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(said)
	if len(lines) != 3 || lines[1] != pushed.String() || lines[2] != host+"/team/berth:v1.2.3-4@"+pushed.String() {
		t.Errorf("%s was pushed, and it says\n%s", pushed, said)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--images berth,other", `--images: "other" is no image; there are berth and berth-agent`},
		{"--arches riscv64", `--arches: "riscv64" is not supported; amd64 and arm64 are`},
		{"--push Registry//x", "--push"},
	} {
		cmd := command()
		cmd.SetArgs(strings.Fields(c.args))
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
}
