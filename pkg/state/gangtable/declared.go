package gangtable

import (
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// objectID names an object that declares gangs.
type objectID struct {
	resource schema.GroupVersionResource
	name     types.NamespacedName
}

// podResource is the resource of pods.
var podResource = corev1.SchemeGroupVersion.WithResource("pods")

// podID names a pod as an object that declares gangs, its own or others'.
func podID(pod *corev1.Pod) objectID {
	return objectID{podResource, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}}
}

// declaration is what one object says about one gang.
type declaration struct {
	key   gang.Key
	said  gang.Declaration
	fault *gang.Fault
	// ref is nil if a pod declares the gang.
	ref *corev1.ObjectReference
	// object and kind are set for an object of a foreign kind, and second if the
	// object's own gang is another one.
	object *unstructured.Unstructured
	kind   *dialect.Kind
	second bool
	// announced is what the object says of pods that are still to be made; nil for nothing.
	announced *dialect.Announcement
}

// SetObject takes in an object that declares gangs.
func (g *Table) SetObject(kind *dialect.Kind, obj *unstructured.Unstructured) {
	id := objectID{kind.Resource, types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}}
	declared := kind.Declare(obj)

	ref := referenceTo(obj)
	var announced *dialect.Announcement
	if kind.Announced != nil {
		announced = kind.Announced(obj)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	says := make([]declaration, 0, len(declared))
	for i, d := range declared {
		says = append(says, declaration{key: d.Key, said: d.Declaration, fault: d.Fault, ref: ref, object: obj, kind: kind, second: i > 0, announced: announced})
	}
	g.setObject(id, says)
}

// SetNative takes in a native pod group. The scheduler knows it without Berth's
// doing; the table has it for the sake of interrupted gangs and of events.
func (g *Table) SetNative(pg *schedulingv1beta1.PodGroup) {
	id := objectID{nativeResource, types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}}
	key := gang.Key{Namespace: pg.Namespace, Dialect: gang.Native, Name: pg.Name}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.setObject(id, []declaration{{key: key, said: nativeDeclaration(pg), ref: referenceToNative(pg)}})
}

// DeleteNative forgets a native pod group.
func (g *Table) DeleteNative(name types.NamespacedName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeObject(objectID{nativeResource, name})
}

// DeleteObject forgets an object that declared gangs.
func (g *Table) DeleteObject(kind *dialect.Kind, name types.NamespacedName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeObject(objectID{kind.Resource, name})
}

// Drop forgets all objects of a resource that the server no longer serves.
func (g *Table) Drop(resource schema.GroupVersionResource) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.objects {
		if id.resource == resource {
			g.removeObject(id)
		}
	}
}

// setObject replaces what an object says. A gang of which it says what it said
// before is not dirty: most changes of an object are of its status.
func (g *Table) setObject(id objectID, says []declaration) {
	still := make(map[gang.Key]bool, len(says))
	for _, d := range says {
		still[d.key] = true
	}
	for _, key := range g.objects[id] {
		if !still[key] {
			delete(g.gangs[key].declared, id)
			g.dirty.Add(key)
		}
	}
	if len(says) == 0 {
		delete(g.objects, id)
		return
	}
	keys := make([]gang.Key, 0, len(says))
	for _, d := range says {
		e := g.entry(d.key)
		if old, was := e.declared[id]; !was || !sameDeclaration(old, d) {
			g.dirty.Add(d.key)
		}
		e.declared[id] = d
		g.announce(d)
		keys = append(keys, d.key)
	}
	g.objects[id] = keys
}

func (g *Table) removeObject(id objectID) { g.setObject(id, nil) }
