package webpage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/berth-dev/berth/pkg/insight"
)

// Node is a node with its GPUs.
type Node struct {
	Name string `json:"name"`
	// Block and Rack are the domains that it is in, the wider and the narrower; empty if its
	// labels do not say.
	Block string `json:"block,omitempty"`
	Rack  string `json:"rack,omitempty"`
	// GPUs is how many it has: those that can be given out, and those that are ill.
	GPUs int `json:"gpus"`
	// Ill are those that must not be given out.
	Ill int `json:"ill,omitempty"`
	// Reserved are those that are kept for gangs that wait until others have left, by gang.
	Reserved []Seat `json:"reserved,omitempty"`
	// Closed says that it is cordoned or not ready.
	Closed bool `json:"closed,omitempty"`
	// Pods are those that have GPUs of it.
	Pods []Seat `json:"pods,omitempty"`
}

// Seat is what a pod, or a gang that has none there yet, has of a node.
type Seat struct {
	// Gang is its key; empty for a pod that another scheduler has placed.
	Gang string `json:"gang,omitempty"`
	// Pod is namespace/name.
	Pod  string `json:"pod,omitempty"`
	GPUs int    `json:"gpus"`
}

// GangKey is the key of a gang on the page, and PodKey that of a plain pod.
func GangKey(namespace, name string) string { return namespace + "/" + name }
func PodKey(namespace, name string) string  { return namespace + "/pod/" + name }

// Source says what is to be shown.
type Source interface {
	Nodes(ctx context.Context) ([]Node, error)
	Gangs(ctx context.Context, query insight.GangQuery) (*insight.Gangs, error)
	Queues(ctx context.Context) (*insight.Queues, error)
	Events(ctx context.Context, after uint64) (*insight.Events, error)
}

// The kinds of objects.
const (
	Nodes  = "nodes"  // Node by name
	Gangs  = "gangs"  // insight.Gang by GangKey or PodKey
	Queues = "queues" // insight.Queue by name
)

// Frame is what is shown at one moment: objects by kind and key.
type Frame map[string]map[string]json.RawMessage

// Snapshot is a frame with the last decisions.
type Snapshot struct {
	Frame Frame `json:"frame"`
	// LeftOut is how many gangs are not in the frame, as there are too many.
	LeftOut int             `json:"leftOut,omitempty"`
	Events  []insight.Event `json:"events"`
}

// Delta is what changes from one frame to the next.
type Delta struct {
	// Set are objects that are new or changed, Drop the keys of those that are gone.
	Set  Frame               `json:"set,omitempty"`
	Drop map[string][]string `json:"drop,omitempty"`
	// LeftOut is as in Snapshot.
	LeftOut int `json:"leftOut,omitempty"`
	// Events are the decisions since; Missed says that there were more.
	Events []insight.Event `json:"events,omitempty"`
	Missed bool            `json:"missed,omitempty"`
}

// Empty reports whether nothing changes.
func (d *Delta) Empty() bool { return len(d.Set) == 0 && len(d.Drop) == 0 && len(d.Events) == 0 }

// mostGangs is how many gangs are shown; those that wait come first.
const mostGangs = 5000

// frameOf asks a source for all that is to be shown but decisions.
func frameOf(ctx context.Context, source Source) (frame Frame, leftOut int, err error) {
	gangs, err := source.Gangs(ctx, insight.GangQuery{Limit: mostGangs})
	if err != nil {
		return nil, 0, fmt.Errorf("listing gangs: %w", err)
	}
	queues, err := source.Queues(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("listing queues: %w", err)
	}
	nodes, err := source.Nodes(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("listing nodes: %w", err)
	}
	frame = Frame{Nodes: {}, Gangs: {}, Queues: {}}
	for i := range nodes {
		if err := frame.add(Nodes, nodes[i].Name, &nodes[i]); err != nil {
			return nil, 0, err
		}
	}
	for i := range gangs.Gangs {
		g := &gangs.Gangs[i]
		key := GangKey(g.Namespace, g.Name)
		if g.Pod {
			key = PodKey(g.Namespace, g.Name)
		}
		for frame[Gangs][key] != nil { // two dialects may each have one of the name
			key += "+"
		}
		if err := frame.add(Gangs, key, g); err != nil {
			return nil, 0, err
		}
	}
	for i := range queues.Queues {
		if err := frame.add(Queues, queues.Queues[i].Name, &queues.Queues[i]); err != nil {
			return nil, 0, err
		}
	}
	return frame, gangs.LeftOut, nil
}

func (f Frame) add(kind, key string, object any) error {
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("writing %s %q: %w", kind, key, err)
	}
	f[kind][key] = text
	return nil
}

// Since returns what changes from an earlier frame to this one, keys in order.
func (f Frame) Since(earlier Frame) Delta {
	var d Delta
	for kind, objects := range f {
		for key, text := range objects {
			if was, known := earlier[kind][key]; known && bytes.Equal(was, text) {
				continue
			}
			if d.Set == nil {
				d.Set = Frame{}
			}
			if d.Set[kind] == nil {
				d.Set[kind] = map[string]json.RawMessage{}
			}
			d.Set[kind][key] = text
		}
	}
	for kind, objects := range earlier {
		for key := range objects {
			if _, there := f[kind][key]; there {
				continue
			}
			if d.Drop == nil {
				d.Drop = map[string][]string{}
			}
			d.Drop[kind] = append(d.Drop[kind], key)
		}
		slices.Sort(d.Drop[kind])
	}
	return d
}

// Apply returns the frame after a delta.
func (f Frame) Apply(d Delta) Frame {
	out := Frame{}
	for kind, objects := range f {
		out[kind] = maps.Clone(objects)
	}
	for kind, objects := range d.Set {
		if out[kind] == nil {
			out[kind] = map[string]json.RawMessage{}
		}
		maps.Copy(out[kind], objects)
	}
	for kind, keys := range d.Drop {
		for _, key := range keys {
			delete(out[kind], key)
		}
	}
	return out
}
