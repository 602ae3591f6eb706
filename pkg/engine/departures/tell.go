package departures

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
)

const (
	// Reason is that of the event about an owner whose gang would not survive.
	Reason = "WouldNotSurvive"

	controller = "berth"
	// mostNote and mostName are what the API server takes of a note and a name.
	mostNote, mostName = 1024, 253
)

// tell writes one event about the owner of a gang that would not survive. The event has a
// name that is made from the owner's, so that the next leader does not write it again.
func (d *Departures) tell(ctx context.Context, name string, departure dialect.Departure) {
	owner := departure.Owner
	d.mu.Lock()
	e := d.gangs[name]
	known := e == nil || e.told == owner.UID
	if !known {
		e.told = owner.UID
	}
	d.mu.Unlock()
	if known {
		return
	}
	now := metav1.NewMicroTime(d.clock.Now())
	suffix := ".would-not-survive." + strings.ToLower(string(owner.UID))
	note := fmt.Sprintf("Gang %s may have to give up its place to others, and would not survive that: %s. To mend it, %s", name, departure.Text, strings.Join(departure.Mend, ";\nor "))
	d.wrote()
	_, err := d.client.EventsV1().Events(owner.Namespace).Create(ctx, &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: owner.Namespace, Name: cut(owner.Name, mostName-len(suffix)) + suffix},
		EventTime:           now,
		Type:                corev1.EventTypeWarning,
		Reason:              Reason,
		Action:              "Reclaiming",
		Note:                cut(note, mostNote),
		Regarding:           *owner.Reference(),
		ReportingController: controller,
		ReportingInstance:   controller,
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
		klog.FromContext(ctx).Error(err, "The owner of a gang that would not survive an eviction could not be told so", "gang", name, "owner", owner)
	}
}

// cut returns a text of at most n bytes, of whole characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
