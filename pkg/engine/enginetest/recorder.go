package enginetest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Recorder keeps the events that it is given, one line each: what it is about, type, reason, note,
// and what it is related to.
type Recorder struct{ Log []string }

// Eventf records an event.
func (r *Recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	name := func(o runtime.Object) string {
		switch o := o.(type) {
		case *corev1.Pod:
			return "Pod/" + o.Name
		case *corev1.ObjectReference:
			return o.Kind + "/" + o.Name
		}
		return ""
	}
	r.Log = append(r.Log, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s %s", name(regarding), kind, reason, fmt.Sprintf(note, args...), name(related))))
}
