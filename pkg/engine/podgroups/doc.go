// Package podgroups brings gangs of every dialect into upstream's pod-group cycle.
//
// That cycle wants pods with spec.schedulingGroup, and PodGroups of scheduling.k8s.io, which a stock
// API server does not serve. So the pods' groups are set as they are read, in memory ([Transform]),
// and the PodGroups come from a [Source] in this process:
//
//	pods ──────────► Transform ──► spec.schedulingGroup, in memory ──► scheduler
//	foreign groups ► KindWatcher ─┐
//	native groups ──────────────► ├─ gangtable.Table ─ verdict ─ Bridge ─► Source
//	sizes on pods ────────────────┘                                        │
//	scheduler ◄── PodGroup informer ◄──────────────────────────────────────┘
//
// A gang's group is in the source only while the verdict on the gang is that it may be tried. Until
// then its pods wait in the scheduling queue outside of every heap, and cost no cycle; [Gate] keeps
// out those whose group is gone again.
//
// Files: gates.go (the feature gates that the cycle needs), absentapis.go (what the API server does
// not serve of what they read), informers.go (what the scheduler reads), ended.go (pods that have
// ended), kinds.go (objects that declare gangs), topologies.go (NodeTopologies), bridge.go (from
// verdicts to groups), source.go (the groups), gate.go (when a gang's pods may enter).
package podgroups
