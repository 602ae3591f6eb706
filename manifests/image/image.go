package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who programs run as, as in the manifests: nobody that a node knows.
const user = "65532:65532"

// sbomPath is where an image lists its modules.
const sbomPath = "usr/share/sbom/%s.cdx.json"

// file is a file of a layer; its path has no leading slash.
type file struct {
	path    string
	mode    int64
	content []byte
}

// part is the image of one architecture.
type part struct {
	image    v1.Image
	platform v1.Platform
}

// image makes the image of a program that was built: the C library and its loader, if it needs
// them, the list of its modules, and the program, which changes most, on top.
func (o *options) image(of, arch, built string) (v1.Image, error) {
	content, err := os.ReadFile(built)
	if err != nil {
		return nil, err
	}
	libraries, err := librariesOf(built)
	if err != nil {
		return nil, err
	}
	list, err := sbom(of, built, libraries)
	if err != nil {
		return nil, err
	}
	files := [][]file{libraries, {{fmt.Sprintf(sbomPath, of), 0o644, list}}, {{of, 0o755, content}}}
	created := v1.Time{Time: time.Unix(o.epoch, 0).UTC()}
	out := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for _, of := range files {
		if len(of) == 0 {
			continue
		}
		layer, err := layerOf(of, created.Time)
		if err != nil {
			return nil, err
		}
		if out, err = mutate.Append(out, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "image"}, MediaType: types.OCILayer}); err != nil {
			return nil, err
		}
	}
	config, err := out.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, created
	config.Config = v1.Config{
		Entrypoint: []string{"/" + of}, User: user, WorkingDir: "/",
		Env: []string{"PATH=/"},
		Labels: map[string]string{
			"org.opencontainers.image.title": of, "org.opencontainers.image.description": programs[of].description,
			"org.opencontainers.image.version": o.version, "org.opencontainers.image.revision": o.commit,
			"org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.created": created.Format(time.RFC3339),
		},
	}
	return mutate.ConfigFile(out, config)
}

// layerOf makes a layer of files, with the folders above them, in the order of their paths.
func layerOf(files []file, at time.Time) (v1.Layer, error) {
	all := map[string]file{}
	for _, f := range files {
		all[f.path] = f
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			all[dir+"/"] = file{path: dir + "/", mode: 0o755}
		}
	}
	var paths []string
	for p := range all {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, p := range paths {
		f := all[p]
		header := &tar.Header{Name: p, Mode: f.mode, Size: int64(len(f.content)), ModTime: at, Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if strings.HasSuffix(p, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// indexOf puts the images of architectures together.
func indexOf(parts []part) v1.ImageIndex {
	out := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range parts {
		out = mutate.AppendManifests(out, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &p.platform}})
	}
	return out
}

// write writes an index as a layout, in place of one that is there. The layout's own index has
// the image's index as its only entry, so that its digest is what a registry says.
func write(index v1.ImageIndex, dir string) error {
	next := dir + ".next"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := os.MkdirAll(next, 0o755); err != nil {
		return err
	}
	to, err := layout.Write(next, empty.Index)
	if err != nil {
		return err
	}
	if err := to.AppendIndex(index); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(next, dir)
}

// push sends an index to a registry, with all its images.
func push(ctx context.Context, index v1.ImageIndex, to string) error {
	ref, err := name.NewTag(to, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("--push: %w", err)
	}
	return remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
}
