package dialect

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// The dialects, beside [gang.Native].
const (
	// Berth is our own label berth.dev/gang.
	Berth gang.Dialect = "berth"
	// SchedulerPlugins is the label and PodGroup of scheduling.x-k8s.io, which
	// KubeRay and Kubeflow Trainer emit too.
	SchedulerPlugins gang.Dialect = "scheduler-plugins"
	// Kueue is the pod group of kueue.x-k8s.io.
	Kueue gang.Dialect = "kueue"
	// KAI is the PodGroup of scheduling.run.ai.
	KAI gang.Dialect = "kai"
	// Volcano is the PodGroup of scheduling.volcano.sh.
	Volcano gang.Dialect = "volcano"
	// YuniKorn is the task group of yunikorn.apache.org.
	YuniKorn gang.Dialect = "yunikorn"
	// Koordinator is the annotation gang.scheduling.koordinator.sh/name and the
	// PodGroup of scheduling.sigs.k8s.io.
	Koordinator gang.Dialect = "koordinator"
	// Coscheduling is the older label pod-group.scheduling.sigs.k8s.io. The
	// PodGroups of scheduler-plugins and of Koordinator, which both come from the
	// plugin that read it, declare its gangs.
	Coscheduling gang.Dialect = "coscheduling"
	// LeaderWorkerSet is a group of leaderworkerset.x-k8s.io.
	LeaderWorkerSet gang.Dialect = "leaderworkerset"
	// JobSet is a replicated job of jobset.x-k8s.io.
	JobSet gang.Dialect = "jobset"
	// Owner is the pods of one controller that state a gang size.
	Owner gang.Dialect = "owner"
)

// Membership is what one pod says of its gang.
type Membership struct {
	// Key names the gang; its namespace is the pod's.
	Key gang.Key
	// Claims is what the pod says about size, topology and queue.
	Claims gang.Claims
	// Rank orders the members of the gang; -1 if unsaid.
	Rank int64
	// Role is the part the pod plays: sub group, task group, replicated job,
	// replica type. Empty if none.
	Role string
	// Extra says that the size which an object declares does not include the pod.
	Extra bool
	// Fault is set if the pod cannot be understood. Key is set even so.
	Fault *gang.Fault
}

// statement is what a pod says in one explicit dialect. The zero value is silence.
type statement struct {
	// name is the gang's; at is the label or annotation that names it.
	name, at string
	// fault is set if the pod contradicts itself in this dialect.
	fault *gang.Fault
}

// vocabulary is one explicit dialect.
type vocabulary struct {
	dialect gang.Dialect
	// speaks reads the gang that the pod names. It does not allocate for a pod
	// that names none.
	speaks func(pod *corev1.Pod) statement
	// size reads the dialect's own statement of a size; nil if it has none.
	size func(pod *corev1.Pod) (*int64, *gang.Fault)
}

// vocabularies are the explicit dialects, in the order in which they are tried.
var vocabularies = [...]vocabulary{
	{gang.Native, nativeGang, nil},
	{Berth, berthGang, nil},
	{SchedulerPlugins, schedulerPluginsGang, nil},
	{Kueue, kueueGang, kueueSize},
	{KAI, kaiGang, kaiSize},
	{Volcano, volcanoGang, volcanoSize},
	{YuniKorn, yunikornGang, yunikornSize},
	{Koordinator, koordinatorGang, koordinatorSize},
	{Coscheduling, coschedulingGang, coschedulingSize},
}

// Of reads the gang that a pod belongs to; false if it is a plain pod, for which
// nothing is allocated. It reads the pod's metadata and spec.schedulingGroup only.
func Of(pod *corev1.Pod) (Membership, bool) {
	if len(pod.Labels) == 0 && len(pod.Annotations) == 0 && pod.Spec.SchedulingGroup == nil {
		return Membership{}, false
	}
	var said statement
	var spoken *vocabulary
	implied := ""
	for i := range vocabularies {
		v := &vocabularies[i]
		s := v.speaks(pod)
		switch {
		case s == statement{}:
		case v.dialect == Volcano && volcanoImplied(pod, s):
			implied = s.name
		case spoken == nil:
			said, spoken = s, v
		default:
			return alone(pod, spoken.dialect, said.name, ambiguous(said, s)), true
		}
	}
	if spoken == nil {
		m, ok := derived(pod)
		if !ok && implied != "" {
			return member(pod, Volcano, implied, "annotation "+volcanoOldGroupName, nil), true
		}
		return m, ok
	}
	if said.fault != nil {
		return alone(pod, spoken.dialect, said.name, said.fault), true
	}
	return member(pod, spoken.dialect, said.name, said.at, spoken.size), true
}

// derived reads the gang of a pod that names none, from what its controllers say.
func derived(pod *corev1.Pod) (Membership, bool) {
	if m, ok := leaderWorkerSetMember(pod); ok {
		return m, true
	}
	if m, ok := jobSetMember(pod); ok {
		return m, true
	}
	return ownerMember(pod)
}

// member is the membership of a pod whose gang is known by name; at says what
// named it. size may be nil.
func member(pod *corev1.Pod, dialect gang.Dialect, name, at string, size func(*corev1.Pod) (*int64, *gang.Fault)) Membership {
	if f := checkName(name, at); f != nil {
		return alone(pod, dialect, "", f)
	}
	m := Membership{
		Key:   gang.Key{Namespace: pod.Namespace, Dialect: dialect, Name: name},
		Role:  roleOf(pod),
		Extra: dialect == Volcano && submitsRayJob(pod),
	}
	m.Claims.Queue = Queue(pod.Labels, pod.Annotations)
	m.Claims.OnLoss = OnLoss(pod.Annotations)

	var faults [4]*gang.Fault
	if size != nil {
		m.Claims.Size, faults[0] = size(pod)
	}
	if m.Claims.Size == nil && faults[0] == nil {
		m.Claims.Size, faults[0] = wholeNumber(pod.Annotations, berthGangSize, annotation)
	}
	m.Claims.Topology, faults[1] = topologyOf(pod.Annotations)
	m.Rank, faults[2] = rankOf(pod)
	if _, err := GPULink(pod); err != nil {
		faults[3] = malformed("%v", err)
	}
	for _, f := range faults {
		if f != nil {
			m.Fault = f
			break
		}
	}
	return m
}

// alone is the membership of a pod of which it is not known which gang it means.
// No other pod and no object can have its key: names never hold a "!".
func alone(pod *corev1.Pod, dialect gang.Dialect, name string, fault *gang.Fault) Membership {
	if checkName(name, "") != nil {
		name = ""
	}
	return Membership{
		Key:   gang.Key{Namespace: pod.Namespace, Dialect: dialect, Name: name + "!" + pod.Name},
		Rank:  -1,
		Fault: fault,
	}
}

// ambiguous is the fault of a pod that says two things.
func ambiguous(a, b statement) *gang.Fault {
	return &gang.Fault{Code: gang.Ambiguous, Text: fmt.Sprintf(
		"%s names gang %q and %s names gang %q; remove one", a.at, clip(a.name), b.at, clip(b.name))}
}

// spelled is the statement of a dialect that has a newer and an older spelling.
func spelled(newer, newerAt, older, olderAt string) statement {
	switch {
	case newer == "" && older == "":
		return statement{}
	case newer == "":
		return statement{name: older, at: olderAt}
	case older != "" && older != newer:
		return statement{name: newer, at: newerAt, fault: ambiguous(
			statement{name: newer, at: newerAt}, statement{name: older, at: olderAt})}
	}
	return statement{name: newer, at: newerAt}
}

// named is the statement of a dialect with one spelling.
func named(name, at string) statement {
	if name == "" {
		return statement{}
	}
	return statement{name: name, at: at}
}

// longestName is the length of the longest key name: two object names and a slash.
const longestName = 2*253 + 1

// checkName refuses a name that no object can have, and that could collide with
// the key of a pod that waits alone or with a name of the scheduler's own.
func checkName(name, at string) *gang.Fault {
	bad := len(name) > longestName
	for i := 0; i < len(name) && !bad; i++ {
		c := name[i]
		bad = c <= ' ' || c >= 0x7f || c == '!' || c == ':'
	}
	if !bad {
		return nil
	}
	return malformed("%s names gang %q; expected the name of an object", at, clip(name))
}

// Where a value stands, as a text says it.
const (
	label      = "label"
	annotation = "annotation"
)

// wholeNumber reads a number from labels or annotations; nil if it is not there.
func wholeNumber(values map[string]string, key, what string) (*int64, *gang.Fault) {
	s, ok := values[key]
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, malformed("%s %s is %q; expected a whole number such as \"4\"", what, key, clip(s))
	}
	return &n, nil
}

func malformed(format string, args ...any) *gang.Fault {
	return &gang.Fault{Code: gang.Malformed, Text: fmt.Sprintf(format, args...)}
}

// clip shortens a value that a text quotes.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
