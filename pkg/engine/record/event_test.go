package record

import (
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

// A note is cut to what the API takes, between two characters.
func TestLongNote(t *testing.T) {
	for _, shift := range []string{"", "x", "xx"} {
		recorder := events.NewFakeRecorder(1)
		note := shift + strings.Repeat("é ", maxNote)
		Event(recorder, PodReference("ns", "a", "uid-a"), nil, corev1.EventTypeWarning, "Short", "Repairing", note)
		said := strings.TrimPrefix(<-recorder.Events, "Warning Short ")
		if len(said) > maxNote || len(said) < maxNote-len(" ...")-1 || !utf8.ValidString(said) || !strings.HasSuffix(said, " ...") {
			t.Errorf("a note of %d bytes was cut to %d: %q", len(note), len(said), said[max(0, len(said)-20):])
		}
	}
}
