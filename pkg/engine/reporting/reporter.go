package reporting

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

const (
	// incompleteDelay is how long a gang may wait for its pods to be created before
	// anybody is told: creating them takes a while. So does the object that declares
	// it, if it comes after them: undeclaredDelay.
	incompleteDelay = 5 * time.Second
	undeclaredDelay = 3 * time.Second
	// newsDelay lets a fault that is gone at once, as while several pods of a gang
	// are edited, pass without a word.
	newsDelay = time.Second
	// quietDelay without a further bind ends the placing of a gang.
	quietDelay = 500 * time.Millisecond
)

// Reporter tells users about gangs: an event for each gang that was placed, held
// or refused, the conditions of held pods, and the status of the object that
// declared the gang. It says each thing once.
type Reporter struct {
	ReporterParts
	queue workqueue.TypedRateLimitingInterface[gang.Key]

	// told is what was said of each gang. Only Run touches it.
	told map[gang.Key]*told

	mu sync.Mutex
	// leading is set once Run runs; news is what it has not reported on.
	leading bool
	news    map[gang.Key]deeds
}

// ReporterParts are what a reporter goes by, and what it writes with.
type ReporterParts struct {
	Clock      clock.WithTicker
	Dynamic    dynamic.Interface
	Gangs      *gangtable.Table
	Conditions *ConditionWriter
	Recorder   events.EventRecorder
	// Entitlement says why a pod, or its gang, that is refused a place does not get what its
	// queue is entitled to; false if no more is to be said than that there is no room.
	Entitlement func(pod *corev1.Pod) (waitreason.Explanation, bool)
	// Sequence is how the owners of a gang make its pods; false if that is not known yet, and
	// will be. It is nil if nobody knows.
	Sequence func(key gang.Key) (dialect.Sequence, bool)
	// Journal is told of each decision; nil for none.
	Journal *insight.Journal

	// Devices says what a pod asks for, and NodesAdded how many nodes came so far.
	Devices    func(pod *corev1.Pod) (corev1.ResourceName, int64)
	NodesAdded func() int64
}

// deeds is what the scheduler did with a gang in one of its lives.
type deeds struct {
	life int64
	// decided is its last decision, nil if there is none; refusal is why a member
	// fitted nowhere when one was last looked at.
	decided *metav1.Condition
	refusal string
	// binds counts those since a placing was last reported; lastBind is the last.
	binds    int
	lastBind time.Time
}

// told is what was said of a gang in one of its lives.
type told struct {
	life int64
	// held is the reason for which the gang is held, since when.
	held  gang.Code
	since time.Time
	// troubles are the gists of the last events since the gang was placed.
	troubles record.Recent
	placed   bool
	timing   timing
	// outcome is what the status of the object is to say; nil if there is nothing to
	// be said yet. status is what was written to the object with this UID, and when.
	outcome *dialect.Outcome
	status  *dialect.Outcome
	object  types.UID
	written time.Time
}

func NewReporter(parts ReporterParts) *Reporter {
	return &Reporter{
		ReporterParts: parts,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[gang.Key](time.Second, time.Minute),
			workqueue.TypedRateLimitingQueueConfig[gang.Key]{Clock: parts.Clock}),
		told: map[gang.Key]*told{},
		news: map[gang.Key]deeds{},
	}
}

// Changed says that a gang's verdict, members or object changed. Nobody is told
// before Run runs: it looks at all gangs.
func (r *Reporter) Changed(key gang.Key) {
	r.mu.Lock()
	leading := r.leading
	r.mu.Unlock()
	if leading {
		r.queue.AddAfter(key, newsDelay)
	}
}

// Decided takes in what the scheduler decided of a gang.
func (r *Reporter) Decided(key gang.Key, condition metav1.Condition) {
	measure.GangDecisions.WithLabelValues(outcomeOf(condition)).Inc()
	r.did(key, func(d *deeds) { d.decided = &condition })
	r.queue.AddAfter(key, newsDelay)
}

// Bound takes in that a member of a gang was bound.
func (r *Reporter) Bound(key gang.Key) {
	now := r.Clock.Now()
	r.did(key, func(d *deeds) { d.binds, d.lastBind = d.binds+1, now })
	r.queue.AddAfter(key, quietDelay)
}

// did changes what is known of a gang's present life.
func (r *Reporter) did(key gang.Key, change func(*deeds)) {
	life := r.Gangs.Life(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.deedsOf(key, life)
	change(&d)
	r.news[key] = d
}

func (r *Reporter) deedsOf(key gang.Key, life int64) deeds {
	if d := r.news[key]; d.life == life {
		return d
	}
	return deeds{life: life}
}

// Run reports until the context is done. It is run by the leader alone.
func (r *Reporter) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, r.ShutDown)
	defer stop()
	r.mu.Lock()
	r.leading = true
	r.mu.Unlock()
	for _, key := range r.Gangs.Keys() {
		r.queue.AddAfter(key, newsDelay)
	}
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

// ShutDown has nothing more reported.
func (r *Reporter) ShutDown() { r.queue.ShutDown() }

// report says what is new of a gang.
func (r *Reporter) report(ctx context.Context, key gang.Key) error {
	g, known := r.Gangs.Get(key)
	if !known || len(g.Pods) == int(g.Done) {
		if err := r.reportEmpty(ctx, g); err != nil {
			return err
		}
		r.mu.Lock()
		delete(r.news, key)
		r.mu.Unlock()
		delete(r.told, key)
		return nil
	}
	t := r.told[key]
	if t == nil || t.life != g.Life {
		t = &told{life: g.Life}
		r.told[key] = t
	}
	r.mu.Lock()
	d := r.deedsOf(key, g.Life)
	r.mu.Unlock()
	switch g.Verdict.Action {
	case gang.Hold:
		r.reportHeld(g, t)
	case gang.Admit:
		t.held = ""
		r.reportTried(g, t, d)
	default:
		return nil // no pod of the gang is ours
	}
	return r.writeStatus(ctx, g, t)
}

// reportEmpty has the object that declared a gang say that nothing of it is left, if it
// was told of a gang that had pods: a suspended owner has its pods deleted, and none of
// them runs.
func (r *Reporter) reportEmpty(ctx context.Context, g gangtable.Gang) error {
	t := r.told[g.Key]
	if t == nil || t.status == nil || !t.status.Scheduled || g.Object == nil || g.Done > 0 {
		return nil
	}
	t.outcome = &dialect.Outcome{Code: gang.Incomplete, Text: fmt.Sprintf("gang %s has no pods", g.Key), Empty: true}
	return r.writeStatus(ctx, g, t)
}

// reportHeld tells why a gang is held, once that has lasted a while.
func (r *Reporter) reportHeld(g gangtable.Gang, t *told) {
	now := r.Clock.Now()
	if t.held != g.Verdict.Code {
		t.held, t.since = g.Verdict.Code, now
	}
	var patience time.Duration
	switch g.Verdict.Code {
	case gang.Incomplete:
		patience = incompleteDelay
		g = r.withSequence(g)
	case gang.NotDeclared:
		patience = undeclaredDelay
	}
	if left := t.since.Add(patience).Sub(now); left > 0 {
		r.queue.AddAfter(g.Key, left)
		return
	}
	news := r.tellWaiting(g, string(g.Verdict.Code), g.Verdict.Text)
	if news {
		r.trouble(g, t, string(g.Verdict.Code), "Admitting", g.Verdict.Text)
	}
	t.outcome = &dialect.Outcome{Code: g.Verdict.Code, Text: g.Verdict.Text, Bound: g.Bound}
}

// withSequence returns a gang that waits for pods with why they do not come, as soon as that is
// known.
func (r *Reporter) withSequence(g gangtable.Gang) gangtable.Gang {
	if r.Sequence == nil {
		return g
	}
	sequence, known := r.Sequence(g.Key)
	if !known {
		r.queue.AddAfter(g.Key, incompleteDelay)
		return g
	}
	r.Gangs.Explain(g.Key, g.Life, sequence.Why(int64(g.Verdict.Group.Size)))
	if now, same := r.Gangs.Get(g.Key); same && now.Life == g.Life && now.Verdict.Code == g.Verdict.Code {
		return now
	}
	return g
}

// reportTried tells what became of a gang that the scheduler knows. While members
// are being bound it waits for the last of them.
func (r *Reporter) reportTried(g gangtable.Gang, t *told, d deeds) {
	if d.binds > 0 {
		if quiet := r.Clock.Since(d.lastBind); quiet < quietDelay {
			r.queue.AddAfter(g.Key, quietDelay-quiet)
			return
		}
	}
	switch {
	case g.Waiting > 0 && g.Bound < g.Verdict.Group.Need:
		if isRefusal(d.decided) {
			r.reportRefused(g, t, d)
		}
		r.follow(g, t)
		return
	case d.binds > 0:
		r.reportPlaced(g, t, d)
	}
	r.reportLeftOut(g, d)
	r.follow(g, t)
}

// follow has the status of a gang that was placed follow what runs of it, down as well as
// up.
func (r *Reporter) follow(g gangtable.Gang, t *told) {
	if g.Placed && g.Bound+g.Done > 0 {
		r.observeRunning(g, t)
		t.outcome = &dialect.Outcome{Scheduled: true, Bound: g.Bound, Running: g.Running}
		if g.Missing > 0 {
			t.outcome.Short = fmt.Sprintf("%d of %d pods are missing", g.Missing, g.Had)
		}
	}
}

// reportPlaced tells of a whole gang, or of members that joined it later.
func (r *Reporter) reportPlaced(g gangtable.Gang, t *told, bound deeds) {
	r.mu.Lock()
	if d := r.news[g.Key]; d.life == g.Life {
		d.binds -= bound.binds
		d.refusal = ""
		r.news[g.Key] = d
	}
	r.mu.Unlock()
	if !t.placed {
		t.placed = true
		measure.GangsPlaced.Inc()
		r.observePlaced(g, t, bound.lastBind)
	}
	nodes := map[string]bool{}
	present := 0
	for i := range g.Pods {
		p := &g.Pods[i]
		if p.Standing() {
			nodes[p.Node] = true
		}
		if p.State != gang.Leaving && p.State != gang.Succeeded {
			present++
		}
	}
	t.troubles = nil
	t.outcome = &dialect.Outcome{Scheduled: true, Bound: g.Bound}
	// Good news is about the object that declared the gang, if there is one.
	var regarding runtime.Object = firstWaiting(g)
	if g.Ref != nil {
		regarding = g.Ref
	}
	note := fmt.Sprintf("Placed %d of %d pods of gang %s on %d nodes (least: %d)", g.Bound, present, g.Key, len(nodes), g.Verdict.Group.Size)
	r.event(regarding, nil, corev1.EventTypeNormal, eventScheduled, "Binding", note)
	r.Journal.Add(record.Decision(r.Clock.Now(), insight.ActionPlaced, g.Key, int(g.Bound), "", note))
}

// trouble records an event unless it was said lately. It is about the first pod
// that waits, for that is where a user looks, and related to the object.
func (r *Reporter) trouble(g gangtable.Gang, t *told, reason, action, note string) {
	if !t.troubles.News(reason + " " + record.MessageKey(note)) {
		measure.EventsSaved.Inc()
		return
	}
	did := insight.ActionHeld
	if reason == eventFailedScheduling {
		did = insight.ActionRefused
	}
	r.Journal.Add(record.Decision(r.Clock.Now(), did, g.Key, 0, reason, note))
	var related runtime.Object
	if g.Ref != nil {
		related = g.Ref
	}
	r.event(firstWaiting(g), related, corev1.EventTypeWarning, reason, action, note)
}

func (r *Reporter) event(regarding, related runtime.Object, kind, reason, action, note string) {
	record.Event(r.Recorder, regarding, related, kind, reason, action, note)
}

// firstWaiting names the first pod of ours that has no place, else the first pod.
func firstWaiting(g gangtable.Gang) *corev1.ObjectReference {
	first := g.Pods[0]
	for _, p := range g.Pods {
		if p.Ours && p.State == gang.Waiting {
			first = p
			break
		}
	}
	return record.PodReference(g.Key.Namespace, first.Name, first.UID)
}

// writeStatus tells the object that declared the gang, in its own words. A status of
// which only the text changed, or how many of its members run, is not written at once.
func (r *Reporter) writeStatus(ctx context.Context, g gangtable.Gang, t *told) error {
	if t.outcome == nil || g.Kind == nil || g.Kind.Status == nil {
		return nil
	}
	now, outcome := r.Clock.Now(), *t.outcome
	if t.object != g.Object.GetUID() {
		t.object, t.status = g.Object.GetUID(), nil
	}
	if s := t.status; s != nil && s.Scheduled == outcome.Scheduled && s.Code == outcome.Code && s.Bound == outcome.Bound &&
		(s.Running > 0) == (outcome.Running > 0) && s.Short == outcome.Short {
		if record.MessageKey(s.Text) == record.MessageKey(outcome.Text) && s.Running == outcome.Running {
			return nil
		}
		if left := t.written.Add(textDelay).Sub(now); left > 0 {
			r.queue.AddAfter(g.Key, left)
			return nil
		}
	}
	body := g.Kind.Status(g.Object, outcome, now)
	if body == nil {
		return nil
	}
	err := patchGroup(ctx, r.Dynamic, g.Kind, g.Object, body)
	// if the object is gone, so is who would have read its status.
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("writing the status of %s %q: %w", g.Kind.Kind, g.Key, err)
	}
	t.status, t.written = &outcome, now
	return nil
}

// patchGroup patches the status of an object that declares gangs.
func patchGroup(ctx context.Context, client dynamic.Interface, kind *dialect.Kind, object *unstructured.Unstructured, body []byte) error {
	measure.APIWrites.WithLabelValues("group_status").Inc()
	var subresources []string
	if kind.Subresource != "" {
		subresources = []string{kind.Subresource}
	}
	_, err := client.Resource(kind.Resource).Namespace(object.GetNamespace()).Patch(ctx, object.GetName(), types.MergePatchType, body, metav1.PatchOptions{}, subresources...)
	return err
}
