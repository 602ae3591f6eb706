package demo

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/webpage"
)

// placed is the result of a workload that is placed node after node. Its gangs only prefer
// what they would require, as this heeds nothing.
func placed(t *testing.T, nodes int) Result {
	t.Helper()
	w := mustGenerate(t, nodes, 1)
	for i := range w.Submissions {
		s := &w.Submissions[i]
		if s.Preferred == "" {
			s.Preferred = s.Required
		}
		s.Required = ""
	}
	var all []v1.Node
	for i := range nodes {
		node := testNode(fmt.Sprintf("node-%05d", i+1))
		node.Labels["topology.kubernetes.io/rack"] = fmt.Sprintf("rack-%04d", i/32+1)
		node.Labels["topology.kubernetes.io/block"] = fmt.Sprintf("block-%03d", i/256+1)
		all = append(all, node)
	}
	free := make([]int, nodes)
	for i := range free {
		free[i] = nodeGPUs
	}
	var pods []v1.Pod
	for _, ref := range w.Pods(w.Order) {
		s := w.Submissions[ref.Submission]
		for i := range free {
			if free[i] >= s.GPUs {
				free[i] -= s.GPUs
				pods = append(pods, seat(s, ref.Index, all[i].Name))
				break
			}
		}
	}
	r := Result{Workload: w, Nodes: seated(w, pods, all), Elapsed: 2 * time.Second, Claimants: []string{"release-000"}, Writes: map[string]int{"create pods/binding": len(pods), "create events": 3}}
	r.Verdict = Verify(w, Moment{Due: early(w)}, pods, all)
	r.Figures = Figures{Nodes: nodes, Gangs: w.Gangs(), Pods: len(w.Pods(w.Order)), Bound: r.Verdict.Bound, APIWritesByScheduler: len(pods) + 3,
		GangsInOneRack: len(r.Verdict.OneRack), TopologyViolations: len(r.Verdict.OutOfDomain), Reclaims: 1}
	r.Evicted = Evictions{Times: make([]int, len(w.Submissions)), Pods: make([]int, len(w.Submissions))}
	r.Stages = []Stage{{When: "at the end", Used: r.Verdict.Used}}
	return r
}

// early are the submissions that do not come late.
func early(w Workload) []bool {
	due := make([]bool, len(w.Submissions))
	for i, s := range w.Submissions {
		due[i] = !s.Late
	}
	return due
}

func TestPage(t *testing.T) {
	r := placed(t, 2500)
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Every gang has its berth", `"pretrain-000"`, `"node-02500"`, `"rack-0079"`, `"block-010"`, `"yunikorn"`, `"prefers a rack"`, `"topology_violations":0`, `"queue_violations":0`, `"name":"production"`, `"when":"at the end"`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if len(page) > 2<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	outside := regexp.MustCompile(`(?i)https?:|\bsrc=|\bhref=|@import|\burl\(|\bfetch\(|\bimport\b`)
	if found := outside.FindAllString(string(page), -1); len(found) > 0 {
		t.Errorf("the page refers to something else: %q", found)
	}
}

func TestPageOfAFailure(t *testing.T) {
	r := placed(t, 8)
	r.Figures.PartialGangs = 1
	r.Verdict.Problems = []string{`</script><b>`}
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte("1 gang is bound by half")) || bytes.Contains(page, []byte("Every gang has its berth")) {
		t.Error("the page does not say that a gang is partial")
	}
	if bytes.Contains(page, []byte(`</script><b>`)) {
		t.Error("text is not escaped")
	}
}

func TestSeated(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 3, GPUs: 4}
	single := Submission{Name: "s", Size: 1, GPUs: 1}
	w := Workload{Submissions: []Submission{gang, single}, Order: []int{1, 0}}
	pods := []v1.Pod{seat(single, 0, "b"), seat(gang, 2, "a"), seat(gang, 0, "b"), seat(gang, 1, "")}
	got := seated(w, append(pods, crowd("a", 1)...), []v1.Node{testNode("b"), testNode("a")})
	want := []webpage.Node{
		{Name: "a", Block: "block-1", Rack: "rack-a", GPUs: 8, Pods: []webpage.Seat{{Gang: "demo/g", Pod: "demo/g-2-x2", GPUs: 4}}},
		{Name: "b", Block: "block-1", Rack: "rack-b", GPUs: 8, Pods: []webpage.Seat{
			{Gang: "demo/g", Pod: "demo/g-0-x0", GPUs: 4}, {Gang: "demo/pod/s", Pod: "demo/s-x0", GPUs: 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"demo/g": 2, "demo/pod/s": 1}, racksOf(got)); diff != "" {
		t.Errorf("racks spanned (-want +got):\n%s", diff)
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	r := placed(t, 64)
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"scheduler-plugins", "single pods", "create pods/binding", "on 64 nodes, the first 69 in 2s", "guaranteed", "69 of 69 pods of 0 jobs", "14 of 16 gangs that asked for a rack are in one, 0 of 0 that require"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	if t.Failed() || r.Err() != nil {
		t.Errorf("the result: %v", r.Err())
	}
}
