package main

// firstFit places pods on the first nodes by name that are free, wherever these are.
type firstFit struct {
	taken []bool
	nodes map[int][]int // by the number of a gang
}

func newFirstFit(p params) *firstFit {
	return &firstFit{taken: make([]bool, p.nodes()), nodes: map[int][]int{}}
}

func (f *firstFit) place(g gang) (placement, error) {
	var nodes []int
	for n := 0; n < len(f.taken) && len(nodes) < g.size; n++ {
		if !f.taken[n] {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) < g.size {
		return placement{}, nil
	}
	return placement{Nodes: nodes}, f.put(g, nodes)
}

func (f *firstFit) put(g gang, nodes []int) error {
	for _, n := range nodes {
		f.taken[n] = true
	}
	f.nodes[g.number] = nodes
	return nil
}

func (f *firstFit) end(g gang) error {
	for _, n := range f.nodes[g.number] {
		f.taken[n] = false
	}
	delete(f.nodes, g.number)
	return nil
}

func (*firstFit) stop() {}
