package pack

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// twin is the index as anybody would first write it: a scan of all nodes.
type twin struct {
	nodes   map[NodeID]Node
	classes []*topology.Class
}

// choose says what a request would get of what a node has free.
func (tw *twin) choose(free, request Amounts) (topology.Choice, bool) {
	if class := tw.classes[free.Class]; class != nil && free.Kind != NoDevice {
		return class.Choose(request.Link, int(request.Devices), free.Mask)
	}
	return topology.Choice{Ratio: topology.Unit}, request.Link == topology.AnyLink || request.Devices == 1
}

// holds reports whether a node has room for a request.
func (tw *twin) holds(free, request Amounts) bool {
	if request.Devices == 0 {
		return free.Fits(request)
	}
	_, ok := tw.choose(free, request)
	return ok && free.Fits(request)
}

// left returns what a node has free once a request was taken.
func (tw *twin) left(free, request Amounts) Amounts {
	left := free.Minus(request)
	if request.Devices > 0 && request.Kind == free.Kind && free.Class != NoClass {
		choice, _ := tw.choose(free, request)
		left.Mask &^= choice.Set
	}
	return left
}

// given returns what a node has free once a pod was given back that holds a set.
func (tw *twin) given(free, request Amounts, held topology.Mask) Amounts {
	given := free.Plus(request)
	if request.Devices > 0 && request.Kind == free.Kind {
		for d := range held.Each() {
			if class := tw.classes[free.Class]; class != nil && d < class.Devices() {
				given.Mask |= 1 << d
			}
		}
	}
	return given
}

// linked reports whether some free devices have the links of a request.
func (tw *twin) linked(free, request Amounts) bool {
	class := tw.classes[free.Class]
	if class == nil || request.Devices < 2 {
		return request.Devices < 2
	}
	for set := range topology.Mask(1 << class.Devices()) {
		if set&^free.Mask == 0 && set.Len() == int(request.Devices) && class.Level(set) >= request.Link {
			return true
		}
	}
	return false
}

// copies counts by taking until nothing more fits.
func (tw *twin) copies(free, request Amounts) (n int64) {
	for tw.holds(free, request) {
		free = tw.left(free, request)
		n++
	}
	return n
}

// offer returns the nodes with room in the order of the package doc.
func (tw *twin) offer(request Amounts, policy Policy, among func(NodeID) bool) []NodeID {
	var out []NodeID
	for id, node := range tw.nodes {
		if among(id) && tw.holds(node.Free, request) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b NodeID) int {
		x, y := tw.nodes[a].Free, tw.nodes[b].Free
		s, t := tw.shape(x), tw.shape(y)
		wasted := func(kind DeviceKind) int {
			if request.Devices == 0 && kind != NoDevice {
				return 1
			}
			return 0
		}
		weighted := func(s shape) int64 { return int64(policy.CPU)*int64(s.cpu) + int64(policy.Memory)*int64(s.memory) }
		devices := cmp.Compare(s.devices, t.devices)
		tight := cmp.Or(
			cmp.Compare(weighted(s), weighted(t)),
			cmp.Compare(min(max(y.Held, 0), 31), min(max(x.Held, 0), 31)),
			cmp.Compare(s.cpu, t.cpu),
			cmp.Compare(s.memory, t.memory),
		)
		var quality, cost int
		if request.Devices > 0 {
			first, _ := tw.choose(x, request)
			second, _ := tw.choose(y, request)
			// The cost of everything counts as that of nearly everything.
			cost = cmp.Compare(min(first.Cost, 1023), min(second.Cost, 1023))
			quality = cmp.Compare(255-int(first.Ratio)*255/1024, 255-int(second.Ratio)*255/1024)
		}
		if policy.Spread {
			devices, tight = -devices, -tight
		}
		return cmp.Or(cmp.Compare(wasted(x.Kind), wasted(y.Kind)), quality, devices, cost, tight, cmp.Compare(a, b))
	})
	return out
}

// shape has the numbers of a shape; what is alike is not told from what is not.
func (tw *twin) shape(free Amounts) shape {
	s := (&Index{classes: []*topology.Class{nil}}).shapeOf(Amounts{
		Kind: free.Kind, Devices: free.Devices, CPU: free.CPU, Memory: free.Memory, Pods: free.Pods, Held: free.Held,
	})
	if free.Class != NoClass && free.Kind != NoDevice {
		s.devices = min(s.devices, uint8(free.Mask.Len()))
	}
	return s
}

// slots counts by scanning the nodes of a domain.
func (tw *twin) slots(domain DomainID, request Amounts) int64 {
	var slots int64
	for _, node := range tw.nodes {
		if !slices.Contains(node.Domains, domain) || tw.shape(node.Free).fits(request) == fitsNever {
			continue
		}
		most := int64(1 << 20)
		if request.Devices > 0 {
			if _, ok := tw.choose(node.Free, request); !ok || request.Kind != node.Free.Kind {
				continue
			}
			most = int64(int32(tw.shape(node.Free).devices) / request.Devices)
		}
		for _, amount := range [][2]int64{{node.Free.CPU, request.CPU}, {node.Free.Memory, request.Memory}} {
			if amount[1] > 0 {
				// The most that has as many binary digits.
				top := int64(1)
				for top <= amount[0] {
					top *= 2
				}
				most = min(most, (top-1)/amount[1])
			}
		}
		slots += most
	}
	return slots
}

// mesh has 8 devices with uneven links, pairs 4 that are linked in pairs.
var (
	mesh = topology.NewClass(linked(8, func(a, b int) uint8 { return uint8((a*b + a + b) % 3) }), topology.Scheduler, topology.DefaultSizes())
	// The device plugin picks here.
	pairs = topology.NewClass(linked(4, func(a, b int) uint8 { return uint8(a/2 ^ b/2 ^ 1) }), topology.DevicePlugin, topology.DefaultSizes())
)

func linked(n int, links func(a, b int) uint8) topology.Matrix {
	m := topology.Matrix{Devices: n}
	for a := range n {
		for b := range a {
			m.Join(a, b, topology.Link{Path: topology.Node, NVLinks: links(a, b)})
		}
	}
	return m
}

func randomNode(r *rand.Rand) Node {
	free := Amounts{
		CPU:    int64(r.IntN(200_000)) - 1000,
		Memory: int64(r.IntN(1<<40)) - 1<<20,
		Pods:   int32(r.IntN(20)),
		Held:   int32(r.IntN(40)) - 2,
	}
	if r.IntN(4) > 0 {
		free.Kind = DeviceKind(1 + r.IntN(2))
		free.Devices = int32(r.IntN(10)) - 1
		switch r.IntN(10) {
		case 0:
			free.Devices *= 100
		case 1, 2, 3, 4, 5:
			free.Class, free.Mask = ClassID(1+r.IntN(2)), topology.Mask(r.IntN(256))
			if free.Class == 2 {
				free.Mask &= 0xf
			}
		}
	}
	return Node{Free: free, Domains: []DomainID{DomainID(r.IntN(4)), DomainID(4 + r.IntN(2))}}
}

func randomRequest(r *rand.Rand) Amounts {
	request := Amounts{CPU: int64(r.IntN(40_000)), Memory: int64(r.IntN(1 << 37)), Pods: 1}
	if r.IntN(5) == 0 {
		request.CPU, request.Memory = 0, 0
	}
	if r.IntN(3) > 0 {
		request.Kind, request.Devices = DeviceKind(1+r.IntN(2)), int32(1+r.IntN(8))
		if r.IntN(10) == 0 {
			request.Devices *= 60
		}
		if r.IntN(4) == 0 {
			request.Link = topology.Level(r.IntN(4))
		}
	}
	return request
}

// pair is an index and its twin, in the same state.
type pair struct {
	index    *Index
	twin     twin
	rankings []*Ranking
	undo     []Undo
	free     []Amounts
	// asked counts questions, answered those with a choice of nodes.
	// without counts the nodes that were told to have no room.
	asked, answered, without int
}

func newPair() *pair {
	p := &pair{index: NewIndex(), twin: twin{nodes: map[NodeID]Node{}, classes: []*topology.Class{nil}}}
	for _, class := range []*topology.Class{mesh, pairs} {
		p.index.AddClass(class)
		p.twin.classes = append(p.twin.classes, class)
	}
	// Few enough that shapes are forgotten and orders dropped all the time.
	p.index.fewShapes = 32
	for _, policy := range []Policy{{}, {Spread: true}, {CPU: 1, Memory: 1}, {Spread: true, CPU: 3, Memory: MaxWeight}} {
		ranking := p.index.NewRanking(policy)
		ranking.most = 8
		p.rankings = append(p.rankings, ranking)
	}
	return p
}

// step makes one random change to both, or asks both.
func (p *pair) step(t *testing.T, r *rand.Rand, nodes int) {
	t.Helper()
	id := NodeID(r.IntN(nodes))
	node, exists := p.twin.nodes[id]
	switch what := r.IntN(14); {
	case what < 3:
		// What was taken stays taken: an undo is for the state after its take.
		p.undo, p.free = nil, nil
		node = randomNode(r)
		p.index.Set(id, node)
		p.twin.nodes[id] = node
	case what < 4:
		p.undo, p.free = nil, nil
		p.index.Remove(id)
		delete(p.twin.nodes, id)
	case what < 7 && exists:
		request := randomRequest(r)
		p.undo = append(p.undo, p.index.Take(id, request))
		p.free = append(p.free, node.Free)
		node.Free = p.twin.left(node.Free, request)
		p.twin.nodes[id] = node
	case what < 9 && exists:
		request, held := randomRequest(r), topology.Mask(r.IntN(1<<10))
		p.undo = append(p.undo, p.index.Give(id, request, held))
		p.free = append(p.free, node.Free)
		node.Free = p.twin.given(node.Free, request, held)
		p.twin.nodes[id] = node
		if got, _ := p.index.Free(id); got != node.Free {
			t.Fatalf("node %d has %+v free after %+v with devices %b was given, want %+v", id, got, request, held, node.Free)
		}
	case what < 11 && len(p.undo) > 0:
		last := len(p.undo) - 1
		p.index.Revert(p.undo[last])
		back := p.twin.nodes[p.undo[last].node]
		back.Free = p.free[last]
		p.twin.nodes[p.undo[last].node] = back
		p.undo, p.free = p.undo[:last], p.free[:last]
	default:
		p.ask(t, r, nodes)
	}
}

// rank is what Index.Rank says of a node.
func (p *pair) rank(ranking *Ranking, id NodeID, request Amounts) int64 {
	return p.index.Rank(ranking.Policy(), p.twin.nodes[id].Free, request)
}

func randomSet(r *rand.Rand, nodes int) *Set {
	s := &Set{}
	for id := range NodeID(nodes) {
		if r.IntN(3) > 0 {
			s.Add(id)
		}
	}
	return s
}

// ask compares the answers to one random question.
func (p *pair) ask(t *testing.T, r *rand.Rand, nodes int) {
	t.Helper()
	request, ranking := randomRequest(r), p.rankings[r.IntN(len(p.rankings))]
	var among Among
	for range r.IntN(3) {
		among.In = append(among.In, randomSet(r, nodes))
	}
	if r.IntN(3) == 0 {
		among.Not = randomSet(r, nodes)
	}
	has := func(id NodeID) bool {
		return !slices.ContainsFunc(among.In, func(s *Set) bool { return !s.Has(id) }) && (among.Not == nil || !among.Not.Has(id))
	}
	want := p.twin.offer(request, ranking.Policy(), has)
	p.asked++
	if len(want) > 1 {
		p.answered++
	}
	var without []NodeID
	among.NoRoom = func(id NodeID) {
		without = append(without, id)
		for _, set := range among.In {
			set.Remove(id)
		}
	}
	got := slices.Collect(ranking.Offer(request, among))
	for _, id := range without {
		if p.twin.holds(p.twin.nodes[id].Free, request) {
			t.Fatalf("request %+v: node %d is said to have no room, and has %+v", request, id, p.twin.nodes[id].Free)
		}
	}
	p.without += len(without)
	if !slices.Equal(got, want) {
		t.Fatalf("request %+v, policy %+v: offered %v, want %v", request, ranking.Policy(), got, want)
	}
	byRank := slices.Clone(got)
	slices.SortStableFunc(byRank, func(a, b NodeID) int {
		return cmp.Or(cmp.Compare(p.rank(ranking, a, request), p.rank(ranking, b, request)), cmp.Compare(a, b))
	})
	if !slices.Equal(byRank, got) {
		t.Fatalf("request %+v, policy %+v: offered %v, and by rank %v", request, ranking.Policy(), got, byRank)
	}
	for id, node := range p.twin.nodes {
		got, want := p.index.Copies(node.Free, request), p.twin.copies(node.Free, request)
		exact := request.Link == topology.AnyLink || !p.twin.linked(node.Free, request)
		if got < want || exact && got != want {
			t.Fatalf("request %+v: %d copies on node %d with %+v, want %d", request, got, id, node.Free, want)
		}
		more := p.index.Given(node.Free, randomRequest(r), topology.Mask(r.IntN(256)))
		if after := p.index.Copies(more, request); after < got {
			t.Fatalf("request %+v: %d copies into %+v, and only %d into %+v", request, got, node.Free, after, more)
		}
	}
	domain := DomainID(r.IntN(7))
	if got, want := p.index.Slots(domain, request), p.twin.slots(domain, request); got != want {
		t.Fatalf("request %+v: %d slots in domain %d, want %d", request, got, domain, want)
	}
}

func TestIndexAgreesWithAScan(t *testing.T) {
	const steps, nodes = 50_000, 60
	r := rand.New(rand.NewPCG(7, 7))
	p := newPair()
	for range steps {
		p.step(t, r, nodes)
	}
	if p.asked < steps/5 || p.answered < p.asked/2 || p.without < p.asked/20 {
		t.Fatalf("%d questions in %d steps, %d of them with a choice, %d nodes without room: the test is too easy", p.asked, steps, p.answered, p.without)
	}
	// Reverting everything gives back what was taken, to the amount.
	for len(p.undo) > 0 {
		last := len(p.undo) - 1
		p.index.Revert(p.undo[last])
		got, _ := p.index.Free(p.undo[last].node)
		if got != p.free[last] {
			t.Fatalf("after the undo, node %d has %+v free, want %+v", p.undo[last].node, got, p.free[last])
		}
		p.undo, p.free = p.undo[:last], p.free[:last]
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint64(1), uint16(300))
	f.Add(uint64(42), uint16(900))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newPair()
		for range steps % 2000 {
			p.step(t, r, 20)
		}
	})
}
