package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state"
)

const (
	// incompleteDelay is how long a gang may wait for its pods to be created before
	// anybody is told: creating them takes a while. So does the object that declares
	// it, if it comes after them: undeclaredDelay.
	incompleteDelay = 10 * time.Second
	undeclaredDelay = 3 * time.Second
	// newsDelay lets a fault that is gone at once, as while several pods of a gang
	// are edited, pass without a word.
	newsDelay = time.Second
	// quietDelay without a further bind ends the placing of a gang.
	quietDelay = 500 * time.Millisecond
)

// reporter tells users about gangs: an event for each gang that was placed, held
// or refused, the conditions of held pods, and the status of the object that
// declared the gang. It says each thing once.
type reporter struct {
	clock      clock.PassiveClock
	dynamic    dynamic.Interface
	queue      workqueue.TypedRateLimitingInterface[gang.Key]
	gangs      *state.Gangs
	conditions *conditionWriter
	recorder   events.EventRecorder

	// told is what was said of each gang. Only Run touches it.
	told map[gang.Key]*told

	mu   sync.Mutex
	news map[gang.Key]news
}

// news is what the scheduler did with a gang.
type news struct {
	// decided is its last decision, nil if there is none.
	decided *metav1.Condition
	// binds counts those since a placing was last reported; lastBind is the last.
	binds    int
	lastBind time.Time
}

// told is what was said of a gang.
type told struct {
	// held is the reason for which the gang is held, since when.
	held  gang.Code
	since time.Time
	// event is the gist of the last event.
	event string
	// status is the last status written, if one was.
	status *dialect.Outcome
	placed bool
}

func newReporter(c clock.PassiveClock, dynamicClient dynamic.Interface) *reporter {
	return &reporter{
		clock:   c,
		dynamic: dynamicClient,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[gang.Key](time.Second, time.Minute)),
		told: map[gang.Key]*told{},
		news: map[gang.Key]news{},
	}
}

// Changed says that a gang's verdict, members or object changed.
func (r *reporter) Changed(key gang.Key) { r.queue.AddAfter(key, newsDelay) }

// Decided takes in what the scheduler decided of a gang.
func (r *reporter) Decided(key gang.Key, condition metav1.Condition) {
	r.mu.Lock()
	n := r.news[key]
	n.decided = &condition
	r.news[key] = n
	r.mu.Unlock()
	r.queue.AddAfter(key, newsDelay)
}

// Bound takes in that a member of a gang was bound.
func (r *reporter) Bound(key gang.Key) {
	r.mu.Lock()
	n := r.news[key]
	n.binds++
	n.lastBind = r.clock.Now()
	r.news[key] = n
	r.mu.Unlock()
	r.queue.AddAfter(key, quietDelay)
}

// reported takes back the binds that a report was made of.
func (r *reporter) reported(key gang.Key, binds int) {
	r.mu.Lock()
	n := r.news[key]
	n.binds -= binds
	r.news[key] = n
	r.mu.Unlock()
}

// Run reports until the context is done. It is run by the leader alone.
func (r *reporter) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, r.queue.ShutDown)
	defer stop()
	for {
		key, shutdown := r.queue.Get()
		if shutdown {
			return
		}
		if err := r.report(ctx, key); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).V(2).Info("Reporting on a gang failed; trying again", "gang", key, "err", err)
			r.queue.AddRateLimited(key)
		} else {
			r.queue.Forget(key)
		}
		r.queue.Done(key)
	}
}

// report says what is new of a gang.
func (r *reporter) report(ctx context.Context, key gang.Key) error {
	g, known := r.gangs.Get(key)
	r.mu.Lock()
	n := r.news[key]
	if !known || len(g.Pods) == 0 {
		delete(r.news, key)
	}
	r.mu.Unlock()
	if !known || len(g.Pods) == 0 {
		delete(r.told, key)
		return nil
	}
	t := r.told[key]
	if t == nil {
		t = &told{}
		r.told[key] = t
	}
	switch g.Verdict.Action {
	case gang.Hold:
		return r.reportHeld(ctx, g, t)
	case gang.Admit:
		t.held = ""
		if n.binds > 0 {
			return r.reportPlaced(ctx, g, t, n)
		}
		return r.reportRefused(ctx, g, t, n)
	}
	return nil
}

func (r *reporter) reportHeld(ctx context.Context, g state.Gang, t *told) error {
	now := r.clock.Now()
	if t.held != g.Verdict.Code {
		t.held, t.since = g.Verdict.Code, now
	}
	var patience time.Duration
	switch g.Verdict.Code {
	case gang.Incomplete:
		patience = incompleteDelay
	case gang.NotDeclared:
		patience = undeclaredDelay
	}
	if left := t.since.Add(patience).Sub(now); left > 0 {
		r.queue.AddAfter(g.Key, left)
		return nil
	}
	condition := corev1.PodCondition{
		Type:    corev1.PodScheduled,
		Status:  corev1.ConditionFalse,
		Reason:  string(g.Verdict.Code),
		Message: g.Verdict.Text,
	}
	news := false
	for _, p := range g.Pods {
		if p.Node == "" && !p.Leaving {
			news = r.conditions.Set(types.NamespacedName{Namespace: g.Key.Namespace, Name: p.Name}, condition) || news
		}
	}
	if news {
		r.event(g, t, corev1.EventTypeWarning, string(g.Verdict.Code), "Admitting", g.Verdict.Text)
	}
	return r.writeStatus(ctx, g, t, dialect.Outcome{Code: g.Verdict.Code, Text: g.Verdict.Text})
}

// reportPlaced waits until no further bind comes, then tells of the whole gang.
func (r *reporter) reportPlaced(ctx context.Context, g state.Gang, t *told, n news) error {
	if quiet := r.clock.Since(n.lastBind); quiet < quietDelay {
		r.queue.AddAfter(g.Key, quietDelay-quiet)
		return nil
	}
	if g.Bound < g.Verdict.Group.Size {
		// The rest is on its way, or the gang was cut short: not placed yet.
		return nil
	}
	r.reported(g.Key, n.binds)
	if !t.placed {
		t.placed = true
		gangsPlaced.Inc()
	}
	nodes := map[string]bool{}
	for _, p := range g.Pods {
		if p.Node != "" {
			nodes[p.Node] = true
		}
	}
	r.event(g, t, corev1.EventTypeNormal, eventScheduled, "Binding",
		fmt.Sprintf("Placed %d of %d pods of gang %s on %d nodes (least: %d)", g.Bound, len(g.Pods), g.Key, len(nodes), g.Verdict.Group.Size))
	return r.writeStatus(ctx, g, t, dialect.Outcome{Scheduled: true, Bound: g.Bound})
}

// reportRefused tells why the scheduler found no place for the whole gang.
func (r *reporter) reportRefused(ctx context.Context, g state.Gang, t *told, n news) error {
	if n.decided == nil || n.decided.Status == metav1.ConditionTrue || g.Bound >= g.Verdict.Group.Size {
		return nil
	}
	r.event(g, t, corev1.EventTypeWarning, eventFailedScheduling, "Scheduling", n.decided.Message)
	return r.writeStatus(ctx, g, t, dialect.Outcome{Code: gang.Code(n.decided.Reason), Text: n.decided.Message, Bound: g.Bound})
}

// event records one event for a gang unless it was the last one already. Good news
// is about the object that declared the gang; trouble is about the first pod that
// waits, for that is where a user looks, and related to the object.
func (r *reporter) event(g state.Gang, t *told, kind, reason, action, note string) {
	said := reason + " " + gist(note)
	if t.event == said {
		eventsSaved.Inc()
		return
	}
	t.event = said
	var object runtime.Object
	if g.Ref != nil {
		object = g.Ref
	}
	regarding, related := object, runtime.Object(nil)
	if kind == corev1.EventTypeWarning || regarding == nil {
		regarding, related = firstWaiting(g), object
	}
	if len(note) > maxNote {
		note = note[:maxNote-len(" ...")] + " ..."
	}
	apiWrites.WithLabelValues("event").Inc()
	r.recorder.Eventf(regarding, related, kind, reason, action, "%s", note)
}

// maxNote is the API's limit on the length of an event's note, in bytes.
const maxNote = 1024

// firstWaiting names the first pod that has no place, or the first of all.
func firstWaiting(g state.Gang) *corev1.ObjectReference {
	first := g.Pods[0]
	for _, p := range g.Pods {
		if p.Node == "" && !p.Leaving {
			first = p
			break
		}
	}
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: g.Key.Namespace, Name: first.Name, UID: first.UID}
}

// writeStatus tells the object that declared the gang, in its own words.
func (r *reporter) writeStatus(ctx context.Context, g state.Gang, t *told, outcome dialect.Outcome) error {
	same := t.status != nil && t.status.Scheduled == outcome.Scheduled && t.status.Code == outcome.Code &&
		t.status.Bound == outcome.Bound && gist(t.status.Text) == gist(outcome.Text)
	if g.Kind == nil || g.Kind.Status == nil || same {
		return nil
	}
	body := g.Kind.Status(g.Object, outcome, r.clock.Now())
	if body == nil {
		return nil
	}
	apiWrites.WithLabelValues("group_status").Inc()
	resource := r.dynamic.Resource(g.Kind.Resource).Namespace(g.Object.GetNamespace())
	var subresources []string
	if g.Kind.Subresource != "" {
		subresources = []string{g.Kind.Subresource}
	}
	_, err := resource.Patch(ctx, g.Object.GetName(), types.MergePatchType, body, metav1.PatchOptions{}, subresources...)
	switch {
	case err == nil:
	case apierrors.IsNotFound(err):
		// The object is gone; so is who would have read it.
	default:
		return fmt.Errorf("writing the status of %s %q: %w", g.Kind.Kind, g.Key, err)
	}
	t.status = &outcome
	return nil
}
