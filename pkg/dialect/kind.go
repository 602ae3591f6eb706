package dialect

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Kind is a foreign kind of object that declares gangs.
type Kind struct {
	// Resource is where a server serves the kind, if it does.
	Resource schema.GroupVersionResource
	// Kind is the object's kind: "PodGroup".
	Kind string
	// Dialect is the dialect of the gangs that belong to the object itself.
	Dialect gang.Dialect
	// Subresource is where a status patch goes: "status", or "" for the object
	// itself, where the CRD has no status subresource.
	Subresource string
	// Declare reads which gangs an object declares; it neither keeps nor changes
	// the object. Usually one gang, whose key has the kind's Dialect; a PodGroup
	// that an older label may name declares that gang too, second.
	Declare func(obj *unstructured.Unstructured) []Declared
	// Owner says that the objects own those of another kind that declare the same gangs,
	// and know better: they are heard, and the outcome is told to the others.
	Owner bool
	// Status returns the body of a JSON merge patch that tells the owner of the
	// object the outcome of the gang that Declare returns first: the fields that
	// change and no others. It is nil if nothing changes, and for a kind that has
	// no place for an outcome. The object is not modified; now is the time of a
	// transition, to the second.
	Status func(obj *unstructured.Unstructured, o Outcome, now time.Time) []byte
	// Announced says what an object announces whose controller makes its pods only once
	// the object says that they are admitted; nil if it announces nothing. Admit is the merge
	// patch that admits them. Both are nil for a kind whose pods come by themselves.
	Announced func(obj *unstructured.Unstructured) *Announcement
	Admit     func(obj *unstructured.Unstructured) []byte
}

// Announcement is a gang before its pods.
type Announcement struct {
	// Admitted says that its controller makes the pods now, and that they do not run yet.
	Admitted bool
	// Asks is what the least number of members asks for together, as far as it is said.
	Asks corev1.ResourceList
}

// Declared is one gang that an object or a pod declares.
type Declared struct {
	Key         gang.Key
	Declaration gang.Declaration
	// Fault is set if the object cannot be understood; its claims are then empty.
	Fault *gang.Fault
}

// Outcome is what became of a gang.
type Outcome struct {
	// Scheduled says that at least the gang's size of members is bound.
	Scheduled bool
	// Code and Text say why not.
	Code gang.Code
	Text string
	// Bound counts the members that have a node, Running those that run. Empty says that
	// there is no member at all.
	Bound, Running int32
	Empty          bool
	// Short says whom the gang lacks that it had, and why; "" if it lacks nobody. It is
	// written where a kind has conditions of any type.
	Short string
}

// ShortCondition is a condition of an object that declares a gang: members that it had are
// missing.
const ShortCondition = "berth.dev/Short"

// statusSubresource is the subresource of a CRD that has one.
const statusSubresource = "status"

// Kinds returns the foreign kinds. Where objects of two kinds declare one gang,
// which only an older label makes possible, the kind that comes first decides.
func Kinds() []Kind {
	return []Kind{
		schedulerPluginsKind(),
		kaiKind(),
		volcanoKind(),
		koordinatorKind(),
		jobSetKind(),
		leaderWorkerSetKind(),
		rayClusterKind(),
	}
}

// noStatus is the Status of a kind that has no place for an outcome.
func noStatus(*unstructured.Unstructured, Outcome, time.Time) []byte { return nil }
