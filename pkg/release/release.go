// Package release says which release of Berth a program is.
//
// It is not the version in k8s.io/component-base: Kubernetes takes that for its own, behaves as
// it did then, and refuses what is newer. A scheduler that says v1.2.3 there does not start.
package release

import "runtime/debug"

// version and commit are set by the linker: see LDFLAGS in the Makefile.
var version, commit string

// Version returns the version and the commit that the build was given, or that the module has;
// a program without, as by go run, is in development.
func Version() string {
	out := version
	if info, ok := debug.ReadBuildInfo(); ok && out == "" && info.Main.Version != "(devel)" {
		out = info.Main.Version
	}
	if out == "" {
		out = "in development"
	}
	if commit != "" {
		out += " (commit " + commit + ")"
	}
	return out
}
