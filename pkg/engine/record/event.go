package record

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/berth-dev/berth/pkg/engine/measure"
)

// maxNote is the API's limit on the length of an event's note, in bytes.
const maxNote = 1024

// Event records an event. Its note is cut short if it is too long for the API.
func Event(recorder events.EventRecorder, regarding, related runtime.Object, kind, reason, action, note string) {
	const more = " ..."
	if len(note) > maxNote {
		note = strings.ToValidUTF8(note[:maxNote-len(more)], "") + more
	}
	measure.APIWrites.WithLabelValues("event").Inc()
	recorder.Eventf(regarding, related, kind, reason, action, "%s", note)
}

// PodReference names the pod that an event is about.
func PodReference(namespace, name string, uid types.UID) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name, UID: uid}
}
