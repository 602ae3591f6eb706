package cluster

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// synthetic is a small cluster with everything that a snapshot can have.
func synthetic(t testing.TB) *Snapshot {
	t.Helper()
	s, err := Synthetic(12, 3, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.Nodes[0].Taints = []Taint{{Key: "dedicated", Value: "a<b", Effect: "NoSchedule"}, {Key: "gone", Effect: "NoExecute"}}
	s.Nodes[1] = Node{Name: "odd", CPU: -5, Memory: 1, Pods: -1, Held: 3}
	s.Nodes[2].Machine, s.Nodes[2].Free = "", nil
	mesh := topology.Matrix{Devices: 2, NUMA: [topology.MaxDevices]int16{topology.UnknownNUMA, 300}}
	mesh.Join(0, 1, topology.Link{Path: topology.Bridge})
	s.Machines = append(s.Machines, MachineOf("pair", &mesh, topology.Scheduler))
	return s
}

func written(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for name, s := range map[string]*Snapshot{
		"all there is": synthetic(t),
		"no nodes":     {Version: Version, Policy: Policy{Order: Spread}, Sizes: []Size{{Devices: 1, Weight: 255}}},
	} {
		t.Run(name, func(t *testing.T) {
			text := written(t, s)
			got, err := Read(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if again := written(t, got); !bytes.Equal(text, again) {
				t.Errorf("written again, it is another text:\n%s\n%s", text, again)
			}
		})
	}
}

// Machines come back as the matrices that they were.
func TestMachines(t *testing.T) {
	table, err := topology.Parse("\tGPU0\tGPU1\tGPU2\nGPU0\tX\tNV2\tPIX\nGPU1\tNV2\tX\tSYS\nGPU2\tPIX\tSYS\tX\n")
	if err != nil {
		t.Fatal(err)
	}
	want := table.Matrix
	want.Rates, want.NIC[1] = topology.Rates{NVLink: 1, PCIe: 2, System: 3}, topology.HostBridge
	for _, picker := range []topology.Picker{topology.DevicePlugin, topology.Scheduler} {
		m := MachineOf("m", &want, picker)
		if diff := cmp.Diff(want, m.matrix()); diff != "" || m.picker() != picker {
			t.Errorf("picker %v, want %v; -want +got:\n%s", m.picker(), picker, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	good := string(written(t, synthetic(t)))
	for name, test := range map[string]struct{ old, new, want string }{
		"no JSON":             {good, "kind: Pod", "it is no snapshot in JSON"},
		"more after it":       {good, good + "{}", "it is no snapshot in JSON"},
		"no version":          {`"version":1,`, ``, "version is missing; make a snapshot with berthctl snapshot"},
		"newer":               {`"version":1,`, `"version":2,"colour":"red",`, "version is 2; this program reads version 1: make the snapshot anew"},
		"unknown field":       {`"version":1,`, `"version":1,"colour":"red",`, `unknown field "colour"; remove it, or correct it`},
		"no policy":           {`"policy":{"order":"Pack","cpuWeight":1,"memoryWeight":1},`, ``, "policy is missing"},
		"order":               {`"order":"Pack"`, `"order":"Heap"`, `policy: order is "Heap"; it must be "Pack" or "Spread"`},
		"weight":              {`"cpuWeight":1`, `"cpuWeight":101`, "policy: cpuWeight is 101; it must be from 0 to 100"},
		"size":                {`{"devices":16,`, `{"devices":17,`, "sizes[3]: devices is 17; it must be from 1 to 16"},
		"sizes out of order":  {`{"devices":16,`, `{"devices":8,`, "sizes[3]: devices is 8, after 8"},
		"device twice":        {`["nvidia.com/gpu"]`, `["nvidia.com/gpu","nvidia.com/gpu"]`, `devices[1] is "nvidia.com/gpu", which is there already`},
		"level twice":         {`"fabric":[[`, `"fabric":[["topology.kubernetes.io/rack"],[`, `fabric[1][1] is "topology.kubernetes.io/rack", which is there already`},
		"machine's picker":    {`"picker":"Scheduler"`, `"picker":"me"`, `machine "pair": picker is "me"`},
		"machine's numa":      {`"numa":[-1,300]`, `"numa":[-1]`, `machine "pair": numa has 1 entries; it must have one for each of 2 devices`},
		"machine's nic":       {`"nic":["N/A","N/A"]`, `"nic":["N/A","PSB"]`, `machine "pair": nic[1] is "PSB"; it must be PIX`},
		"machine's links":     {`"links":[{"a":0,"b":1,"path":"PIX"}]`, `"links":[{"a":1,"b":0,"path":"PIX"}]`, `machine "pair": links[0]: a is 1 and b is 0`},
		"type in a machine":   {`"devices":2,"numa"`, `"devices":"two","numa"`, `machines[1], named "pair": devices is a string; it must be of type int`},
		"node without name":   {`"name":"odd"`, `"name":""`, "nodes[1]: name is empty"},
		"node twice":          {`"name":"odd"`, `"name":"node-00001"`, `nodes[1]: name is "node-00001", which is there already`},
		"fraction":            {`"cpu":-5`, `"cpu":-5.5`, `nodes[1], named "odd": cpu is a number -5.5; it must be of type int64`},
		"too much":            {`"cpu":-5`, `"cpu":2000000000000000000`, `node "odd": cpu is 2000000000000000000; it must be within`},
		"held":                {`"held":3`, `"held":-3`, `node "odd": held is -3; it must be at least 0`},
		"devices of nothing":  {`"name":"odd","devices":0`, `"name":"odd","devices":4`, `node "odd": device is empty, and there are devices`},
		"unknown device":      {`"name":"odd","devices":0`, `"name":"odd","device":"tpu","devices":4`, `node "odd": device is "tpu", which is not in devices`},
		"unknown machine":     {`"machine":"m1"`, `"machine":"m7"`, `node "node-00001": machine is "m7", which is not in machines`},
		"free without any":    {`"held":3`, `"held":3,"free":[0]`, `node "odd": free[0] is 0`},
		"label of no level":   {`"name":"odd",`, `"name":"odd","labels":{"row":"1"},`, `node "odd": labels has "row", which is no level; add it to fabric`},
		"taint's effect":      {`"effect":"NoExecute"`, `"effect":"PreferNoSchedule"`, `node "node-00001": taints[1]: effect is "PreferNoSchedule"`},
		"a node that is none": {"\"nodes\":[\n", "\"nodes\":[7,\n", `nodes[0], named "": it is a number; it must be of type cluster.Node`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, test.old, test.new, 1)
			if text == good {
				t.Fatalf("nothing to change at %q", test.old)
			}
			if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want what says %q", err, test.want)
			}
		})
	}
	if err := (&Snapshot{}).Write(&bytes.Buffer{}); err == nil {
		t.Error("a snapshot that cannot be read is written")
	}
	if _, err := (&Snapshot{}).Planner(); err == nil {
		t.Error("a snapshot that makes no sense has a planner")
	}
}

func TestSynthetic(t *testing.T) {
	for _, test := range []struct {
		nodes int
		racks Racks
		fill  Percent
	}{{1, 1, 0}, {1, 1, 100}, {64, 4, 70}, {100, 33, 99}, {2500, 160, 80}} {
		s, err := Synthetic(test.nodes, test.racks, test.fill, 7)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		taken, racks, blocks := 0, map[string]int{}, map[string]map[string]bool{}
		for i := range s.Nodes {
			n := &s.Nodes[i]
			taken += nodeDevices - int(n.Devices)
			rack, block := n.Labels[RackLevel], n.Labels[BlockLevel]
			racks[rack]++
			if blocks[block] == nil {
				blocks[block] = map[string]bool{}
			}
			blocks[block][rack] = true
			if len(n.Free) != int(n.Devices) || n.CPU < 0 || n.Memory < 0 {
				t.Errorf("node %+v", n)
			}
		}
		if want := test.nodes * nodeDevices * int(test.fill) / 100; taken != want || len(racks) != int(test.racks) {
			t.Errorf("%+v: %d devices taken, want %d; %d racks", test, taken, want, len(racks))
		}
		for block, in := range blocks {
			if len(in) > blockRacks {
				t.Errorf("%+v: block %s has %d racks", test, block, len(in))
			}
		}
		again, _ := Synthetic(test.nodes, test.racks, test.fill, 7)
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("the same seed makes another cluster:\n%s", diff)
		}
	}
	for _, test := range []struct {
		nodes int
		racks Racks
		fill  Percent
	}{{0, 1, 0}, {4, 0, 0}, {4, 5, 0}, {4, 1, -1}, {4, 1, 101}, {mostNodes + 1, 1, 0}} {
		if _, err := Synthetic(test.nodes, test.racks, test.fill, 1); err == nil {
			t.Errorf("%+v is a cluster", test)
		}
	}
}

// What the index knows is what the snapshot says, read from a file or not.
func TestPlanner(t *testing.T) {
	s := synthetic(t)
	read, err := Read(bytes.NewReader(written(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	var plans []plan.Result
	for _, from := range []*Snapshot{s, read} {
		p, err := from.Planner()
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Nodes {
			n := &s.Nodes[i]
			free, known := p.Index.Free(pack.NodeID(i))
			want := pack.Amounts{Devices: n.Devices, CPU: n.CPU, Memory: n.Memory, Pods: n.Pods, Held: n.Held, Mask: n.free()}
			if n.Device != "" {
				want.Kind = 1
			}
			if n.Machine == "m1" {
				want.Class = 1
			}
			if diff := cmp.Diff(want, free); !known || diff != "" || p.Fabric.NodeName(pack.NodeID(i)) != n.Name {
				t.Errorf("node %q: -want +got:\n%s", n.Name, diff)
			}
		}
		request := plan.Request{Required: p.Fabric.LevelOf(RackLevel), Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: 2}
		for rank := range 2 {
			request.Pods = append(request.Pods, plan.Pod{Rank: rank, Request: pack.Amounts{Kind: s.KindOf("nvidia.com/gpu"), Devices: 4, Pods: 1, Link: topology.NVLink}})
		}
		result := p.Plan(request)
		if len(result.Candidates) == 0 {
			t.Fatalf("no plan: %+v", result.Reason)
		}
		plans = append(plans, result)
	}
	if diff := cmp.Diff(plans[0], plans[1]); diff != "" {
		t.Errorf("the plan of what was written and read is another:\n%s", diff)
	}
}

// FuzzRead: whatever is read can be written and read again as the same, and planned on.
func FuzzRead(f *testing.F) {
	f.Add(written(f, synthetic(f)))
	f.Add([]byte(`{"version":1,"policy":{"order":"Pack"},"sizes":[{"devices":1,"weight":1}],"devices":["a"],"fabric":[["r"]],"machines":[],"nodes":[{"name":"n","device":"a","devices":-2147483648,"memory":-1152921504606846976,"labels":{"r":""}}]}`))
	f.Add([]byte(`{"version":1,"nodes":[{}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		once := written(t, s)
		again, err := Read(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, once)
		}
		if twice := written(t, again); !bytes.Equal(once, twice) {
			t.Fatalf("written twice:\n%s\n%s", once, twice)
		}
		for i := range s.Machines {
			if s.Machines[i].Devices > 8 {
				return // the tables of large machines take long to make
			}
		}
		p, err := s.Planner()
		if err != nil {
			t.Fatal(err)
		}
		request := plan.Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: 2}
		for rank := range 3 {
			request.Pods = append(request.Pods, plan.Pod{Rank: rank, Request: pack.Amounts{Kind: 1, Devices: 2, CPU: 1, Memory: 1, Pods: 1}})
		}
		if result := p.Plan(request); len(result.Candidates) == 0 {
			result.Reason.Sentence(p.Fabric, 3)
		}
	})
}
