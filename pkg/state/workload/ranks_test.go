package workload

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

func TestRanks(t *testing.T) {
	type change = func(*corev1.Pod)
	says := func(rank string) change {
		return func(p *corev1.Pod) {
			metav1.SetMetaDataLabel(&p.ObjectMeta, "berth.dev/gang", "g")
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, "berth.dev/rank", rank)
		}
	}
	placed := func(rank int) change {
		return func(p *corev1.Pod) {
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, dialect.PlacementAnnotation, fmt.Sprintf(`{"rank":%d}`, rank))
		}
	}
	written := func(text string) change {
		return func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, dialect.PlacementAnnotation, text) }
	}
	leaving := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	pod := func(name string, changes ...change) *corev1.Pod {
		p := statetest.Pod(name)
		for _, c := range changes {
			c(p)
		}
		return p
	}
	type pods = []*corev1.Pod
	for _, test := range []struct {
		name                     string
		waiting, running         pods
		wantWaiting, wantRunning []int
	}{
		{"a number in a name counts by its value", pods{pod("w-10"), pod("w-2"), pod("w-1"), pod("a"), pod("v-3"), pod("w-11")}, nil, []int{4, 3, 2, 0, 1, 5}, []int{}},
		{"whatever the order that they come in", pods{pod("w-10"), pod("w-1x"), pod("w-2")}, pods{pod("w-007"), pod("w-7")}, []int{3, 4, 0}, []int{1, 2}},
		{"of any two names one is first", pods{pod("w-2"), pod("w-10"), pod("w-1x")}, pods{pod("w-7"), pod("w-007")}, []int{0, 3, 4}, []int{2, 1}},
		{"what a pod says comes before its name", pods{pod("w-1"), pod("w-2", says("0")), pod("w-3")}, nil, []int{1, 0, 2}, []int{}},
		{"two pods may say the same", pods{pod("w-1", says("1")), pod("w-2", says("1")), pod("w-3"), pod("w-4")}, nil, []int{1, 1, 0, 2}, []int{}},
		{"one that came again takes its place among those that run", pods{pod("w-1")}, pods{pod("w-3"), pod("w-0"), pod("w-2")}, []int{1}, []int{3, 0, 2}},
		{"one that runs has the rank that it was placed with", pods{pod("w-9")}, pods{pod("w-b", placed(0)), pod("w-a", placed(2))}, []int{1}, []int{0, 2}},
		{"one that waits has not", pods{pod("w-0", placed(7)), pod("w-1")}, nil, []int{0, 1}, []int{}},
		{"what one says counts more", pods{pod("w-9")}, pods{pod("w-0", placed(0), says("5"))}, []int{0}, []int{5}},
		{"one that leaves gives its rank to who comes", pods{pod("w-9")}, pods{pod("w-0", placed(0)), pod("w-1", placed(1), leaving), pod("w-2", placed(2))}, []int{1}, []int{0, 1, 2}},
		{"more come than went", pods{pod("w-7"), pod("w-8"), pod("w-9")}, pods{pod("w-0", placed(0)), pod("w-2", placed(2))}, []int{1, 3, 4}, []int{0, 2}},
		{"a placement without a rank, and what is none", pods{pod("w-1")}, pods{pod("w-0", written(`{"devices":{}}`)), pod("w-2", written(`{"rank":-1}`)), pod("w-3", written("3"))}, []int{1}, []int{0, 2, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			waiting, running := Ranks(test.waiting, test.running)
			if diff := cmp.Diff(test.wantWaiting, waiting); diff != "" {
				t.Errorf("those that wait, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.wantRunning, running); diff != "" {
				t.Errorf("those that run, -want +got:\n%s", diff)
			}
		})
	}
}
