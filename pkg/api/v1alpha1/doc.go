// Package v1alpha1 has the types of the API group berth.dev, one kind a file.
//
// NodeTopology says how the devices of a node are linked, and who holds them; the
// agent on the node writes it, and the scheduler reads it. Queue says what those who share
// a cluster are entitled to; people write it, and the scheduler writes its status.
//
// The definitions in manifests/crds are made from these types.
//
// +groupName=berth.dev
// +kubebuilder:object:generate=true
package v1alpha1

//go:generate go tool -modfile=../../../go.tools.mod controller-gen object paths=. output:object:dir=.
//go:generate go tool -modfile=../../../go.tools.mod controller-gen crd paths=. output:crd:dir=../../../manifests/crds
