// Command image builds the images of Berth without a container engine: the scheduler's, which is
// one static program and nothing else, and the node agent's, which is the agent and the C library
// that it is linked with.
//
// An image is made of layers with fixed times, owners and order, so that the same sources give
// the same digest. Each has a list of the modules in it, as CycloneDX.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
)

const long = `Builds the images of Berth without a container engine.

  berth        the scheduler: one static program
  berth-agent  the node agent, with the C library of this machine, as NVML takes it.
               It is built for this machine's architecture alone, and needs a C compiler.

Each image is written to OUT/NAME as an OCI image layout, with an index of all its
architectures, and its digest is printed. Tools that read layouts, such as skopeo, crane
and podman, can copy or load it. With --push it goes to a registry as well; docker's
credentials are used.

The same sources, flags and Go give the same digest: --epoch is the time of all files.`

const examples = `  # Both architectures of the scheduler, to bin/image/berth
  go run .

  # To a registry
  go run . --images berth,berth-agent --version v1.2.3 --push registry.example.com/berth

  # Into containerd, for a cluster on this machine
  go run . && tar -C bin/image/berth -c . | ctr images import -`

// options are the flags.
type options struct {
	root, out, version, commit, push, programs string
	images, arches                             []string
	epoch                                      int64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use: "image", Short: "Build the images of Berth without a container engine", Long: long, Example: examples,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.root, "root", "../..", "The root of the repository.")
	flags.StringVar(&o.out, "out", "bin/image", "Where the layouts are written, below the root.")
	flags.StringSliceVar(&o.images, "images", []string{"berth"}, "What is built: berth, berth-agent.")
	flags.StringSliceVar(&o.arches, "arches", []string{"amd64", "arm64"}, "For which architectures the scheduler is built.")
	flags.StringVar(&o.version, "version", "v0.0.0-dev", "The version that programs say, and the tag of what is pushed.")
	flags.StringVar(&o.commit, "commit", "", "The commit that programs say.")
	flags.Int64Var(&o.epoch, "epoch", 0, "The time of all files, in seconds since 1970; SOURCE_DATE_EPOCH if it is set.")
	flags.StringVar(&o.programs, "programs", "", "A folder with programs that were built before, as NAME-ARCH: they are taken as they are.")
	flags.StringVar(&o.push, "push", "", "The registry and path to push to, without the name of the image.")
	return cmd
}

// check reports what is wrong with the flags.
func (o *options) check() error {
	for _, image := range o.images {
		if _, known := programs[image]; !known {
			return fmt.Errorf("--images: %q is no image; there are berth and berth-agent", image)
		}
	}
	for _, arch := range o.arches {
		if arch != "amd64" && arch != "arm64" {
			return fmt.Errorf("--arches: %q is not supported; amd64 and arm64 are", arch)
		}
	}
	if len(o.arches) == 0 || len(o.images) == 0 {
		return fmt.Errorf("--images and --arches: there is nothing to build")
	}
	for _, image := range o.images {
		if o.push == "" {
			break
		}
		if _, err := name.NewTag(o.reference(image), name.StrictValidation); err != nil {
			return fmt.Errorf("--push: %w", err)
		}
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); o.epoch == 0 && epoch != "" {
		var err error
		if o.epoch, err = strconv.ParseInt(epoch, 10, 64); err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds", epoch)
		}
	}
	return nil
}

func (o *options) run(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	programsDir, err := os.MkdirTemp("", "berth-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(programsDir) }()
	for _, image := range o.images {
		arches := o.arches
		if programs[image].cgo {
			arches = []string{runtime.GOARCH}
		}
		var parts []part
		for _, arch := range slices.Sorted(slices.Values(arches)) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: building for linux/%s\n", image, arch)
			began := time.Now()
			path := filepath.Join(programsDir, image+"-"+arch)
			if o.programs != "" {
				path = filepath.Join(o.programs, image+"-"+arch)
			} else if err := o.compile(cmd.Context(), image, arch, path); err != nil {
				return fmt.Errorf("building %s for %s: %w", image, arch, err)
			}
			made, err := o.image(image, arch, path)
			if err != nil {
				return fmt.Errorf("image %s for %s: %w", image, arch, err)
			}
			parts = append(parts, part{made, v1.Platform{OS: "linux", Architecture: arch}})
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: built for linux/%s in %s\n", image, arch, time.Since(began).Round(time.Second))
		}
		index := indexOf(parts)
		dir := filepath.Join(o.root, o.out, image)
		if err := write(index, dir); err != nil {
			return fmt.Errorf("writing %s: %w", dir, err)
		}
		digest, err := index.Digest()
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", strings.TrimPrefix(dir, o.root+"/"), digest)
		if o.push == "" {
			continue
		}
		to := o.reference(image)
		if err := push(cmd.Context(), index, to); err != nil {
			return fmt.Errorf("pushing %s: %w", to, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s@%s\n", to, digest)
	}
	return nil
}

// reference returns where an image is pushed to. The tag is the version, which may have a plus
// where a tag may not.
func (o *options) reference(image string) string {
	return o.push + "/" + image + ":" + strings.ReplaceAll(o.version, "+", "-")
}
