package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// program is what is in an image.
type program struct {
	description string
	// cgo says that it is linked with the C library, and for this machine alone.
	cgo bool
}

var programs = map[string]program{
	"berth":       {description: "A Kubernetes scheduler for GPU clusters, which gives each gang a place, whole"},
	"berth-agent": {description: "Says of a node how its GPUs are linked and which are ill", cgo: true},
}

// releasePackage is where the programs have their version.
const releasePackage = "github.com/berth-dev/berth/pkg/release"

// compile builds a program of the repository. Nothing of this machine is left in it but, with cgo,
// what the C compiler puts in.
func (o *options) compile(ctx context.Context, name, arch, path string) error {
	cgo := "0"
	if programs[name].cgo {
		cgo = "1"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags(name, o.version, o.commit), "-o", path, "./cmd/"+name)
	cmd.Dir = o.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build ./cmd/%s: %w", name, err)
	}
	return nil
}

// linkerFlags returns the value of -ldflags for a program. What may have a space is quoted, but not
// the first flag: the go command refuses a value that begins with a quote.
func linkerFlags(name, version, commit string) string {
	flags := "-s -w -X '" + releasePackage + ".version=" + version + "'"
	if commit != "" {
		flags += " -X '" + releasePackage + ".commit=" + commit + "'"
	}
	if programs[name].cgo {
		// The build ID of the C linker is made from paths.
		flags += " -extldflags -Wl,--build-id=none"
	}
	return flags
}
