package gang

import "strings"

// Dialect names the vocabulary in which a gang was declared. It is part of a
// gang's identity: two dialects may use one name in one namespace for two gangs.
type Dialect string

// Native is the dialect of scheduling.k8s.io PodGroups. Its gangs keep their
// names as they are, for the API server knows them by these names.
const Native Dialect = "native"

// Key identifies a gang in a cluster.
type Key struct {
	Namespace string
	Dialect   Dialect
	Name      string
}

// String returns "namespace/name", which is how a user knows the gang.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// separator stands between dialect and name in a group name. No Kubernetes
// object name can hold it, so a translated group never hides a native one.
const separator = ":"

// GroupName returns the name of the pod group that stands for this gang inside
// the scheduler: the name itself for a native gang, "dialect:name" for others.
func (k Key) GroupName() string {
	if k.Dialect == Native {
		return k.Name
	}
	return string(k.Dialect) + separator + k.Name
}

// aside stands before the name of the group of members that do not count: those that
// leave, and those that scheduling gates hold. No dialect has this name.
const aside = "aside" + separator

// AsideName returns the name of the group that stands for the members of the gang
// that do not count towards its size. There is never such a pod group, so the
// scheduler tries none of them, and takes none of them for a member.
func (k Key) AsideName() string { return aside + k.GroupName() }

// Aside reports whether a group name is one of [Key.AsideName].
func Aside(groupName string) bool { return strings.HasPrefix(groupName, aside) }

// InGroup returns the name of the gang's own group for either of its two.
func InGroup(groupName string) string { return strings.TrimPrefix(groupName, aside) }

// KeyOf is the inverse of [Key.GroupName] and of [Key.AsideName].
func KeyOf(namespace, groupName string) Key {
	groupName = InGroup(groupName)
	dialect, name, found := strings.Cut(groupName, separator)
	if !found {
		return Key{Namespace: namespace, Dialect: Native, Name: groupName}
	}
	return Key{Namespace: namespace, Dialect: Dialect(dialect), Name: name}
}

// Compare orders keys by namespace, name and dialect.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(k.Namespace, other.Namespace); c != 0 {
		return c
	}
	if c := strings.Compare(k.Name, other.Name); c != 0 {
		return c
	}
	return strings.Compare(string(k.Dialect), string(other.Dialect))
}
