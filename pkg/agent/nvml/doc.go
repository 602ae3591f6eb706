// Package nvml reads the GPUs of a machine by NVIDIA's management library. It is the
// only importer of go-nvml, which takes cgo even to be looked at; built without cgo,
// New says so and nothing else is here.
//
// A call that fails costs the fact that it was for, and leaves a note. Only if the
// library, its initialisation or the number of devices cannot be had does a read fail.
// A function that the driver on the node does not have yet is not called: the dynamic
// linker would end the process.
//
// Files: source.go (the source, devices), links.go (paths, NVLinks, fabric), health.go
// (remapped rows, Xid events), numa.go (sysfs), none.go (without cgo).
package nvml
