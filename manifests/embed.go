// Package manifests holds what a cluster is given to run Berth, as kustomize
// bases, and renders it for programs that apply it themselves: the local
// cluster and the tests. `kubectl apply -k manifests/base` applies the same.
//
// base is the scheduler, with the kinds in crds; agent is what runs on GPU nodes; owners is
// the right to read the owners of pods, and suspend that to suspend them: base gives neither;
// monitoring is for Prometheus and Grafana, whose kinds it takes.
//
// Its tests check what an API server would only say at install time, or never:
// unknown fields, references to nothing, permissions that are too wide.
package manifests

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

//go:embed base crds agent owners suspend monitoring
var files embed.FS

// CRDs returns the definitions of Berth's own kinds. Base has them too. The caller
// owns them.
func CRDs() ([]*unstructured.Unstructured, error) {
	return render(files, "crds")
}

// Agent returns the objects of manifests/agent, as Base does. They need the kinds of
// CRDs.
func Agent() ([]*unstructured.Unstructured, error) {
	return render(files, "agent")
}

// AgentWithoutDaemonSet returns what Agent does, but for the DaemonSet: for a program
// that runs agents by itself, with the same rights.
func AgentWithoutDaemonSet() ([]*unstructured.Unstructured, error) {
	return without("DaemonSet")(Agent())
}

// Owners returns the objects of manifests/owners, as Base does. They need the service account
// of Base.
func Owners() ([]*unstructured.Unstructured, error) {
	return render(files, "owners")
}

// Suspend returns the objects of manifests/suspend, as Base does. They need the service
// account of Base.
func Suspend() ([]*unstructured.Unstructured, error) {
	return render(files, "suspend")
}

// Monitoring returns the objects of manifests/monitoring, as Base does. They need the namespace
// of Base, and the kinds of the Prometheus operator.
func Monitoring() ([]*unstructured.Unstructured, error) {
	return render(files, "monitoring")
}

// Base returns the objects of manifests/base as kustomize renders them, each
// before those that refer to it, so that they can be created in this order.
// The caller owns them.
func Base() ([]*unstructured.Unstructured, error) {
	return render(files, "base")
}

// BaseWithoutDeployment returns what Base does, but for the Deployment: for a
// program that runs the scheduler as a process of its own, with the same rights.
func BaseWithoutDeployment() ([]*unstructured.Unstructured, error) {
	return without("Deployment")(Base())
}

// without takes the objects of a kind out of what was rendered.
func without(kind string) func([]*unstructured.Unstructured, error) ([]*unstructured.Unstructured, error) {
	return func(objects []*unstructured.Unstructured, err error) ([]*unstructured.Unstructured, error) {
		return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind }), err
	}
}

// render runs kustomize on the directory dir of source, which may refer to its other
// directories.
func render(source fs.FS, dir string) ([]*unstructured.Unstructured, error) {
	// Kustomize reads no fs.FS.
	memory := filesys.MakeFsInMemory()
	err := fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return memory.WriteFile(path, content)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the manifests of %q: %w", dir, err)
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified // the kustomization says
	resources, err := krusty.MakeKustomizer(options).Run(memory, dir)
	if err != nil {
		return nil, fmt.Errorf("rendering manifests in %q: %w", dir, err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources.Resources() {
		// Through JSON: unstructured objects hold int64, where YAML has int.
		encoded, err := resource.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", resource.CurId(), err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(encoded); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", resource.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}
