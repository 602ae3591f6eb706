package dialect

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations of YuniKorn.
const (
	yunikornAppLabel      = "yunikorn.apache.org/app-id"
	yunikornOldAppLabel   = "applicationId"
	yunikornSparkAppLabel = "spark-app-selector"
	yunikornTaskGroup     = "yunikorn.apache.org/task-group-name"
	yunikornTaskGroups    = "yunikorn.apache.org/task-groups"
	yunikornQueueLabel    = "yunikorn.apache.org/queue"
	yunikornOldQueueLabel = "queue"
)

// taskGroup is an entry of the annotation yunikorn.apache.org/task-groups, as far
// as it is read.
type taskGroup struct {
	Name      string      `json:"name"`
	MinMember json.Number `json:"minMember"`
}

// yunikornGang reads the task group of a pod. A pod of an application that is in no
// task group is a plain pod.
func yunikornGang(pod *corev1.Pod) statement {
	group := pod.Annotations[yunikornTaskGroup]
	if group == "" {
		return statement{}
	}
	const at = "annotation " + yunikornTaskGroup
	app := yunikornApplication(pod)
	switch {
	case app.fault != nil:
		return app
	case app.name == "":
		return statement{name: group, at: at, fault: malformed(
			"%s names task group %q of no application; set label %s", at, clip(group), yunikornAppLabel)}
	case strings.Contains(app.name, "/"):
		return statement{name: group, at: at, fault: malformed(
			"%s is %q; expected a name without a slash", app.at, clip(app.name))}
	}
	return statement{name: app.name + "/" + group, at: at}
}

// yunikornApplication reads the application that a pod belongs to. Spark's own
// label counts where YuniKorn's are not set.
func yunikornApplication(pod *corev1.Pod) statement {
	newer, older := pod.Labels[yunikornAppLabel], pod.Labels[yunikornOldAppLabel]
	app := spelled(newer, "label "+yunikornAppLabel, older, "label "+yunikornOldAppLabel)
	if app.fault != nil {
		app.fault.Text = fmt.Sprintf("label %s names application %q and label %s names application %q; remove one",
			yunikornAppLabel, clip(newer), yunikornOldAppLabel, clip(older))
	}
	if app.name != "" {
		return app
	}
	if id := pod.Annotations[yunikornAppLabel]; id != "" {
		return statement{name: id, at: "annotation " + yunikornAppLabel}
	}
	return named(pod.Labels[yunikornSparkAppLabel], "label "+yunikornSparkAppLabel)
}

// yunikornSize reads the size of the pod's own task group. It is silent if the pod
// defines no task groups: another pod of the application then does.
func yunikornSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	own := pod.Annotations[yunikornTaskGroup]
	groups, fault := readTaskGroups(pod)
	if groups == nil || fault != nil {
		return nil, fault
	}
	for _, g := range groups {
		if g.Name == own {
			return g.size()
		}
	}
	return nil, malformed("annotation %s is %q, which annotation %s does not define",
		yunikornTaskGroup, clip(own), yunikornTaskGroups)
}

// readTaskGroups reads the task groups that a pod defines; nil if it defines none.
func readTaskGroups(pod *corev1.Pod) ([]taskGroup, *gang.Fault) {
	text := pod.Annotations[yunikornTaskGroups]
	if text == "" {
		return nil, nil
	}
	groups := []taskGroup{}
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return nil, malformed(`annotation %s cannot be read: %v; expected a JSON list such as [{"name": "workers", "minMember": 4}]`,
			yunikornTaskGroups, clip(err.Error()))
	}
	return groups, nil
}

// size is the group's minMember; nil if unsaid.
func (g taskGroup) size() (*int64, *gang.Fault) {
	if g.MinMember == "" {
		return nil, nil
	}
	n, err := g.MinMember.Int64()
	if err != nil {
		return nil, malformed("annotation %s: task group %q has minMember %q; expected a whole number",
			yunikornTaskGroups, clip(g.Name), clip(string(g.MinMember)))
	}
	return &n, nil
}

// DeclaredBy reads the gangs that a pod declares, its own and others', in the order
// in which it does; nil for nearly every pod. A YuniKorn application defines all
// its task groups on its first pod: the executors of a Spark application name
// theirs and do not say its size. A task group that cannot be read is left out:
// [Of] reports it on the pod that defines it, if it is that pod's own.
func DeclaredBy(pod *corev1.Pod) []Declared {
	if pod.Annotations[yunikornTaskGroups] == "" || pod.Annotations[yunikornTaskGroup] == "" {
		return nil
	}
	app := yunikornApplication(pod)
	if app.name == "" || app.fault != nil || strings.Contains(app.name, "/") {
		return nil
	}
	groups, fault := readTaskGroups(pod)
	if fault != nil {
		return nil
	}
	var declared []Declared
	seen := make(map[string]bool, len(groups))
	for _, g := range groups {
		size, fault := g.size()
		if size == nil || fault != nil || seen[g.Name] || g.Name == "" || checkName(app.name+"/"+g.Name, "") != nil {
			continue
		}
		seen[g.Name] = true
		declared = append(declared, Declared{
			Key: gang.Key{Namespace: pod.Namespace, Dialect: YuniKorn, Name: app.name + "/" + g.Name},
			Declaration: gang.Declaration{
				Source: fmt.Sprintf("annotation %s of pod %q", yunikornTaskGroups, pod.Name),
				Claims: gang.Claims{Size: size},
			},
		})
	}
	return declared
}
