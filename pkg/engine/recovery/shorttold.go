package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// The reasons of events on gangs that lost members.
const (
	ReasonShort         = "GangShort"
	ReasonRepaired      = "GangRepaired"
	ReasonOnLossInvalid = "OnLossInvalid"
)

// say says that a gang is short, whom it lacks and what is done, once each.
func (r *Repairer) say(ctx context.Context, s *gangtable.Short, g *shortGang, d repair.Decision, policy repair.Policy, fault error) {
	r.lock.Lock()
	refused := g.refused
	r.lock.Unlock()
	if refused != "" {
		d.Code, d.Text = "Refused", "it cannot be restarted now: "+refused
	}
	avoided, _ := r.Gangs.Avoided(g.name)
	refusals := 0
	for _, one := range avoided {
		again := ""
		if one.Times > 1 {
			again = fmt.Sprintf(" (%d times in a row)", one.Times)
		}
		refusals += one.Times
		d.Text += fmt.Sprintf("; node %s, whose kubelet refused a pod of it%s, is avoided for %d s", one.Node, again, one.Until-r.Clock.Now().Unix())
	}
	g.refusals = max(g.refusals, refusals)
	if !g.said.News(fmt.Sprint(s.Missing, s.Cause(), d.Code, g.refusals)) {
		return
	}
	g.any = true
	note := fmt.Sprintf("Gang %s lacks %d of %d pods (%s): on-loss %s: %s", s.Key, s.Missing, s.Size, lostOf(s), policy, d.Text)
	klog.FromContext(ctx).Info("A gang lacks pods that it had", "gang", s.Key, "missing", s.Missing, "of", s.Size, "lost", lostOf(s), "policy", policy, "code", d.Code, "text", d.Text)
	r.mark(ctx, s.Key, metav1.ConditionTrue, note)
	regarding, related := r.regarding(s.Ref, slices.Concat(s.Standing, s.Stranded), s.Key)
	if len(s.Lost) > 0 {
		related = record.PodReference(s.Key.Namespace, s.Lost[0].Name, s.Lost[0].UID)
	}
	// The recorder takes events for one of which only the note differs, and shows the first note.
	r.event(regarding, related, corev1.EventTypeWarning, ReasonShort, string(d.Code), note)
	if fault != nil && g.said.News(ReasonOnLossInvalid) {
		r.event(regarding, nil, corev1.EventTypeWarning, ReasonOnLossInvalid, "Repairing", fmt.Sprintf("Gang %s: annotation %s: %v", s.Key, dialect.OnLossAnnotation, fault))
	}
}

// mark writes on the native pod group of a gang whether it is short. Of groups of other kinds the
// reporter does so.
func (r *Repairer) mark(ctx context.Context, key gang.Key, status metav1.ConditionStatus, text string) {
	if key.Dialect != gang.Native {
		return
	}
	reason := ReasonRepaired
	if status == metav1.ConditionTrue {
		reason = ReasonShort
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []metav1.Condition{{
		Type: dialect.ShortCondition, Status: status, Reason: reason, Message: text, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	}}}})
	if err == nil {
		measure.APIWrites.WithLabelValues("group_status").Inc()
		_, err = r.Client.SchedulingV1beta1().PodGroups(key.Namespace).Patch(ctx, key.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) {
		klog.FromContext(ctx).V(2).Info("A pod group does not say whether its gang is short", "gang", key, "err", err)
	}
}

// regarding returns what an event on a gang is about: the object that declares it, else the
// controller of its pods, else a pod.
func (r *Repairer) regarding(ref *corev1.ObjectReference, pods []gangtable.Pod, key gang.Key) (regarding, related runtime.Object) {
	if ref != nil {
		return ref, nil
	}
	for _, p := range pods {
		if pod, err := r.Pods.Pods(key.Namespace).Get(p.Name); err == nil && pod.UID == p.UID {
			if owner, owned := dialect.Controller(pod); owned {
				return owner.Reference(), nil
			}
			return record.PodReference(key.Namespace, p.Name, p.UID), nil
		}
	}
	return record.PodReference(key.Namespace, pods[0].Name, pods[0].UID), nil
}

func (r *Repairer) event(regarding, related runtime.Object, kind, reason, action, note string) {
	record.Event(r.Recorder, regarding, related, kind, reason, action, note)
}

// lostOf names the first of those that are missing, where they were, and why they are gone.
func lostOf(s *gangtable.Short) string {
	parts := make([]string, 0, mostNamedLost+1)
	for i, l := range s.Lost {
		if i == mostNamedLost {
			parts = append(parts, fmt.Sprintf("and %d more", s.Missing-mostNamedLost))
			break
		}
		parts = append(parts, fmt.Sprintf("%s on node %s %s", l.Name, l.Node, l.Cause.Sentence()))
	}
	if len(parts) == 0 {
		return "deleted before this scheduler led"
	}
	return strings.Join(parts, ", ")
}
