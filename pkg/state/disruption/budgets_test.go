package disruption

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// budgetNamed makes a budget over the pods of a namespace, all of which it lets go.
func budgetNamed(name string, changes ...func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), Generation: 1, ResourceVersion: "1"},
		Spec:   policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}},
		Status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 1, ExpectedPods: 4, CurrentHealthy: 4, DesiredHealthy: 3}}
	for _, change := range changes {
		change(pdb)
	}
	return pdb
}

// The forms that a pod and a budget can have, and what the API server does with them.
func TestBudgetsOf(t *testing.T) {
	ready := func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	}
	unready := func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodRunning }
	phase := func(phase corev1.PodPhase) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Status.Phase = phase }
	}
	unhealthy := func(policy policyv1.UnhealthyPodEvictionPolicyType) func(*policyv1.PodDisruptionBudget) {
		return func(pdb *policyv1.PodDisruptionBudget) { pdb.Spec.UnhealthyPodEvictionPolicy = &policy }
	}
	broken := func(pdb *policyv1.PodDisruptionBudget) { pdb.Status.CurrentHealthy = 2 }
	for _, c := range []struct {
		name    string
		pod     func(*corev1.Pod)
		budgets []*policyv1.PodDisruptionBudget
		// want are those that protect the pod, each with what it allows, or why it allows none.
		want []string
	}{
		{"a pod that is ready", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b")}, []string{"ns/b 1"}},
		{"no budget", ready, nil, nil},
		{"another namespace", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b", func(p *policyv1.PodDisruptionBudget) { p.Namespace = "other" })}, nil},
		{"no selector selects nothing", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b", func(p *policyv1.PodDisruptionBudget) { p.Spec.Selector = nil })}, nil},
		{"a pod that does not run yet", phase(corev1.PodPending), []*policyv1.PodDisruptionBudget{budgetNamed("b")}, nil},
		{"a pod that has succeeded", phase(corev1.PodSucceeded), []*policyv1.PodDisruptionBudget{budgetNamed("b")}, nil},
		{"a pod that is leaving", func(p *corev1.Pod) { ready(p); p.DeletionTimestamp = &metav1.Time{} }, []*policyv1.PodDisruptionBudget{budgetNamed("b")}, nil},
		{"a pod that is not ready, and the others are healthy", unready, []*policyv1.PodDisruptionBudget{budgetNamed("b")}, nil},
		{"a pod that is not ready, and the others are not healthy", unready, []*policyv1.PodDisruptionBudget{budgetNamed("b", broken)}, []string{"ns/b 1"}},
		{"a pod that is not ready may go always", unready, []*policyv1.PodDisruptionBudget{budgetNamed("b", broken, unhealthy(policyv1.AlwaysAllow))}, nil},
		{"two budgets", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b"), budgetNamed("a")}, []string{"ns/a 1", "ns/b 1"}},
		{"two budgets over a pod that is not ready", unready, []*policyv1.PodDisruptionBudget{budgetNamed("b"), budgetNamed("a")}, []string{"ns/a 1", "ns/b 1"}},
		{"its controller has not seen it", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b", func(p *policyv1.PodDisruptionBudget) { p.Generation = 2 })},
			[]string{"ns/b its controller has not seen it as it is"}},
		{"maxUnavailable over pods that cannot be scaled", ready, []*policyv1.PodDisruptionBudget{budgetNamed("b", func(p *policyv1.PodDisruptionBudget) {
			p.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1}
		})}, []string{"ns/b it allows none, for it expects no pods; a budget over pods whose controller cannot be scaled has to state minAvailable as a number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New()
			for _, pdb := range c.budgets {
				b.Set(pdb)
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Labels: map[string]string{"app": "x"}}}
			c.pod(pod)
			var got []string
			for _, budget := range b.Of(pod) {
				text := budget.Why
				if text == "" {
					text = fmt.Sprint(budget.Allowed)
				}
				got = append(got, budget.Name+" "+text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

// What is older than what is known is left out; a budget that was made again is another one.
func TestBudgetsKeepTheNewest(t *testing.T) {
	b := New()
	at := func(version string, uid types.UID, allowed int32) {
		b.Set(budgetNamed("b", func(p *policyv1.PodDisruptionBudget) {
			p.ResourceVersion, p.UID, p.Status.DisruptionsAllowed = version, uid, allowed
		}))
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	expect := func(want int) {
		t.Helper()
		if of := b.Of(pod); len(of) != 1 || of[0].Allowed != want {
			t.Fatalf("got %+v, want one that allows %d", of, want)
		}
	}
	at("10", "u", 5)
	at("9", "u", 4)
	expect(5)
	at("11", "u", 3)
	expect(3)
	at("2", "other", 1)
	expect(1)
	b.Delete(types.NamespacedName{Namespace: "ns", Name: "b"})
	if of := b.Of(pod); len(of) > 0 || len(b.all) > 0 {
		t.Errorf("after it is gone: %+v", of)
	}
}

// TestBudgetsTwin compares 5,000 random budgets, which come, change and go, with the plain
// reading: of each that there is, ask its selector.
func TestBudgetsTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 37))
	b := New()
	all := map[string]*policyv1.PodDisruptionBudget{}
	found := 0
	for step := range 5000 {
		name := fmt.Sprint("b", r.IntN(12))
		namespace := []string{"one", "two"}[r.IntN(2)]
		if r.IntN(4) == 0 {
			delete(all, namespace+"/"+name)
			b.Delete(types.NamespacedName{Namespace: namespace, Name: name})
		} else {
			pdb := budgetNamed(name, func(p *policyv1.PodDisruptionBudget) {
				p.Namespace, p.ResourceVersion, p.Spec.Selector = namespace, strconv.Itoa(step+1), randomSelector(r)
			})
			all[namespace+"/"+name] = pdb
			b.Set(pdb)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: map[string]string{}}}
		for _, key := range []string{"a", "b", "c"} {
			if r.IntN(2) == 0 {
				pod.Labels[key] = []string{"x", "y"}[r.IntN(2)]
			}
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		var want, got []string
		for name, pdb := range all {
			selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
			if err != nil {
				t.Fatal(err)
			}
			if pdb.Namespace == namespace && selector.Matches(labels.Set(pod.Labels)) {
				want = append(want, name)
			}
		}
		slices.SortFunc(want, strings.Compare)
		for _, budget := range b.Of(pod) {
			got = append(got, budget.Name)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: %v protect it, want %v", step, got, want)
		}
		found += len(got)
	}
	if found < 1000 {
		t.Errorf("%d budgets protected pods in all", found)
	}
}

func randomSelector(r *rand.Rand) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{}
	for _, key := range []string{"a", "b", "c"} {
		switch r.IntN(6) {
		case 0, 1:
			metav1.AddLabelToSelector(selector, key, []string{"x", "y"}[r.IntN(2)])
		case 2:
			selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpExists})
		}
	}
	return selector
}
