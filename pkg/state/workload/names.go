package workload

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// plainMark ends the names of plain pods, which no gang's name does.
const plainMark = " (pod)"

// NameOf returns the name of a gang or plain pod in the line, by a pod of it. It is not for
// users: see Shown and Called.
func NameOf(pod *corev1.Pod) string {
	if id := IDOf(pod); id.Group != "" {
		return id.Namespace + "/" + id.Group
	}
	return pod.Namespace + "/" + pod.Name + plainMark
}

// NameOfGang returns the name of a gang in the line, as NameOf does by a pod of it.
func NameOfGang(key gang.Key) string { return key.Namespace + "/" + key.GroupName() }

// Shown is how a user knows who has a name in the line, "namespace/name": without the dialect,
// and without the mark of plain pods.
func Shown(name string) string {
	shown, _ := userName(name)
	return shown
}

// Called names who has a name in the line to a reader of a namespace: "gang train", or "pod
// eval". One of another namespace is "gang other/train".
func Called(name, reader string) string {
	shown, kind := userName(name)
	if namespace, own, _ := strings.Cut(shown, "/"); namespace == reader {
		shown = own
	}
	return kind + " " + shown
}

// userName returns "namespace/name", and whether that is a gang's or a pod's.
func userName(name string) (shown, kind string) {
	if plain, _, ok := strings.Cut(name, plainMark); ok {
		return plain, "pod"
	}
	namespace, group, _ := strings.Cut(name, "/")
	return gang.KeyOf(namespace, group).String(), "gang"
}
