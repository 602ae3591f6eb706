package disruption

import (
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Budgets knows which disruption budgets protect a pod, and what they allow now: by the rules
// by which the API server grants evictions. To ask for a pod costs in proportion to its
// labels and to the budgets that may select it.
type Budgets struct {
	mu  sync.Mutex
	all map[types.NamespacedName]*protector
	// selecting are the budgets of a namespace by one of the labels that they select by, and
	// others those that select by no single label.
	selecting map[selection][]*protector
	others    map[string][]*protector
}

// selection is a label in a namespace.
type selection struct{ namespace, key, value string }

// protector is a budget that is known.
type protector struct {
	pdb      *policyv1.PodDisruptionBudget
	selector labels.Selector
	by       selection
	budget   *preempt.Budget
}

// New returns no budgets.
func New() *Budgets {
	return &Budgets{all: map[types.NamespacedName]*protector{}, selecting: map[selection][]*protector{}, others: map[string][]*protector{}}
}

// Set takes in a budget that was made or changed. What is older than what is known is left
// out. A selector that makes no sense, which the API server does not let be, selects nothing.
func (b *Budgets) Set(pdb *policyv1.PodDisruptionBudget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := types.NamespacedName{Namespace: pdb.Namespace, Name: pdb.Name}
	if known := b.all[name]; known != nil && known.pdb.UID == pdb.UID && older(pdb, known.pdb) {
		return
	}
	b.remove(name)
	selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
	if err != nil {
		selector = labels.Nothing()
	}
	p := &protector{pdb: pdb, selector: selector, budget: budgetOf(pdb)}
	b.all[name] = p
	if pdb.Spec.Selector != nil && len(pdb.Spec.Selector.MatchLabels) > 0 {
		keys := make([]string, 0, len(pdb.Spec.Selector.MatchLabels))
		for key := range pdb.Spec.Selector.MatchLabels {
			keys = append(keys, key)
		}
		key := slices.Min(keys)
		p.by = selection{pdb.Namespace, key, pdb.Spec.Selector.MatchLabels[key]}
		b.selecting[p.by] = append(b.selecting[p.by], p)
		return
	}
	b.others[pdb.Namespace] = append(b.others[pdb.Namespace], p)
}

// older reports whether one state of a budget is older than another.
func older(a, b *policyv1.PodDisruptionBudget) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order < 0
}

// Delete forgets a budget.
func (b *Budgets) Delete(name types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(name)
}

func (b *Budgets) remove(name types.NamespacedName) {
	p := b.all[name]
	if p == nil {
		return
	}
	delete(b.all, name)
	is := func(other *protector) bool { return other == p }
	if p.by != (selection{}) {
		if b.selecting[p.by] = slices.DeleteFunc(b.selecting[p.by], is); len(b.selecting[p.by]) == 0 {
			delete(b.selecting, p.by)
		}
		return
	}
	if b.others[name.Namespace] = slices.DeleteFunc(b.others[name.Namespace], is); len(b.others[name.Namespace]) == 0 {
		delete(b.others, name.Namespace)
	}
}

// budgetOf returns what a budget allows. See checkAndDecrement of the API server's
// pkg/registry/core/pod/storage/eviction.go, Kubernetes 1.37.
func budgetOf(pdb *policyv1.PodDisruptionBudget) *preempt.Budget {
	b := &preempt.Budget{Name: pdb.Namespace + "/" + pdb.Name, Allowed: int(pdb.Status.DisruptionsAllowed)}
	switch {
	case pdb.Status.ObservedGeneration < pdb.Generation:
		b.Why = "its controller has not seen it as it is"
	case pdb.Status.DisruptionsAllowed == 0 && pdb.Status.ExpectedPods == 0:
		b.Why = "it allows none, for it expects no pods; a budget over pods whose controller cannot be scaled has to state minAvailable as a number"
	case len(pdb.Status.DisruptedPods) > mostDisrupted:
		b.Why = "too many evictions are not confirmed by its controller"
	}
	return b
}

// mostDisrupted is the number of evictions under way with which the API server grants no more.
const mostDisrupted = 2000

// Of returns the budgets that protect a pod from an eviction now, by name. None protects one
// that does not run yet, that has ended, or that is leaving; and one that is not ready is
// protected as the budget says.
func (b *Budgets) Of(pod *corev1.Pod) []*preempt.Budget {
	switch {
	case pod.DeletionTimestamp != nil, pod.Status.Phase == corev1.PodPending, pod.Status.Phase == corev1.PodSucceeded, pod.Status.Phase == corev1.PodFailed:
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) == 0 {
		return nil
	}
	set := labels.Set(pod.Labels)
	var found []*protector
	add := func(list []*protector) {
		for _, p := range list {
			if p.selector.Matches(set) {
				found = append(found, p)
			}
		}
	}
	for key, value := range pod.Labels {
		add(b.selecting[selection{pod.Namespace, key, value}])
	}
	add(b.others[pod.Namespace])
	if len(found) == 1 && !protects(found[0].pdb, pod) {
		return nil
	}
	slices.SortFunc(found, func(a, b *protector) int { return strings.Compare(a.pdb.Name, b.pdb.Name) })
	out := make([]*preempt.Budget, len(found))
	for i, p := range found {
		out[i] = p.budget
	}
	return out
}

// Protect returns why pods may not go together; nil if they may.
func (b *Budgets) Protect(pods []*corev1.Pod) *preempt.Protection {
	under := make([][]*preempt.Budget, len(pods))
	for i, pod := range pods {
		under[i] = b.Of(pod)
	}
	_, why := (&preempt.Disruptions{}).Take(under)
	return why
}

// protects reports whether a budget that selects a pod is asked before it is evicted: not of
// a pod that is not ready, if the budget lets those go always, or its others are healthy.
func protects(pdb *policyv1.PodDisruptionBudget, pod *corev1.Pod) bool {
	if dialect.HasCondition(pod, corev1.PodReady) {
		return true
	}
	if policy := pdb.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy == policyv1.AlwaysAllow {
		return false
	}
	return pdb.Status.CurrentHealthy < pdb.Status.DesiredHealthy || pdb.Status.DesiredHealthy <= 0
}
