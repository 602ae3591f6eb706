// Package rig runs a scheduler without an API server: a real one, made by scheduler.New
// with its profile and plugins, whose informers never start. What they would bring is
// put into its cache and its queue by the benchmark, which also runs its cycles, one by
// one. Its Bind plugin is in this package, and binds nothing.
//
// A cluster is made of nodes of 8 GPUs. What a node's agent would report of them is a
// NodeTopology that is made of a link matrix; see Model.
//
// A Server is for a scheduler whose informers do run: it is an API server in memory.
//
// Files: rig.go (the scheduler), server.go (the API server in memory), binder.go (the Bind
// plugin), objects.go (nodes and pods), gang.go (gangs), model.go (link matrices, and
// NodeTopologies of them), profile.go (CPU profiles of benchmarks).
package rig
