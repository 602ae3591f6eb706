package drill

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// someNodes are nodes 1 to n, two a rack.
func someNodes(n int) []runtime.Object {
	var nodes []runtime.Object
	for i := range n {
		nodes = append(nodes, &v1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprintf("node-%d", i+1),
			Labels: map[string]string{localcluster.RackLabel: fmt.Sprintf("rack-%d", i/2+1), v1.LabelTopologyZone: "zone-1"},
		}})
	}
	return nodes
}

func TestNodesNamed(t *testing.T) {
	client := fake.NewClientset(someNodes(6)...)
	got, err := NodesNamed(t.Context(), client, []string{"node-4", "node-2", "node-4"})
	if err != nil || !slices.Equal(got, []string{"node-2", "node-4"}) {
		t.Errorf("got %v, %v", got, err)
	}
	want := `there is no node "node-7"; the cluster has 6 nodes, node-1 to node-6`
	if _, err := NodesNamed(t.Context(), client, []string{"node-1", "node-7"}); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %q", err, want)
	}
	if _, err := NodesNamed(t.Context(), fake.NewClientset(), []string{"node-1"}); err == nil || !strings.Contains(err.Error(), "the cluster has no node") {
		t.Errorf("got error %v for a cluster without nodes", err)
	}
}

func TestNodesIn(t *testing.T) {
	client := fake.NewClientset(someNodes(5)...)
	for _, test := range []struct {
		level, domain string
		want          []string
		wrong         string
	}{
		{"rack", "rack-2", []string{"node-3", "node-4"}, ""},
		{"rack", "rack-3", []string{"node-5"}, ""},
		{"zone", "zone-1", []string{"node-1", "node-2", "node-3", "node-4", "node-5"}, ""},
		{"rack", "rack-9", nil, `no node is in rack "rack-9"; the cluster has 3 racks: rack-1, rack-2, rack-3`},
		{"zone", "zone-2", nil, `no node is in zone "zone-2"; the cluster has one zone, zone-1`},
		{"block", "block-1", nil, `no node is in block "block-1"; the cluster has no block`},
		{"row", "1", nil, `there is no level "row"; name one of rack, block, zone`},
	} {
		got, err := NodesIn(t.Context(), client, test.level, test.domain)
		if !slices.Equal(got, test.want) || (err == nil) != (test.wrong == "") || err != nil && err.Error() != test.wrong {
			t.Errorf("%s %s: got %v, %v, want %v, %s", test.level, test.domain, got, err, test.want, test.wrong)
		}
	}
}

// Labels are as they were, however often they were changed.
func TestRelabel(t *testing.T) {
	ctx := t.Context()
	client := fake.NewClientset(someNodes(2)...)
	labels := func() map[string]string {
		node, err := client.CoreV1().Nodes().Get(ctx, "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return node.Labels
	}
	nodes := []string{"node-1", "node-2"}
	for _, step := range []map[string]string{{localcluster.RackLabel: "rack-8"}, {localcluster.RackLabel: "rack-9", "new": "yes"}} {
		if err := Relabel(client, nodes, step).Apply(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := labels(); got[localcluster.RackLabel] != "rack-9" || got["new"] != "yes" {
		t.Errorf("the labels are %v", got)
	}
	for range 2 { // the second has nothing to do
		if err := Relabel(client, nodes, nil).Undo(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, has := labels()["new"]; labels()[localcluster.RackLabel] != "rack-1" || has {
		t.Errorf("once it is undone the labels are %v", labels())
	}
}
