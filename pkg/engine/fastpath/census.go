package fastpath

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Census is what is done with the devices of the cluster, and what fits into those that are
// free.
type Census struct {
	Devices []DeviceCensus
	Largest []LargestGang
}

// DeviceCensus is about the devices of one resource. All but Stranded, which is a part of
// Idle, add up to what nodes have.
type DeviceCensus struct {
	Resource corev1.ResourceName
	// Allocated are those that pods ask for which are placed. Reserved are kept for gangs
	// that wait for others to leave, or are of spares. Idle are free, and Unavailable neither: they are
	// unhealthy, not offered by their node, or on a node that is cordoned, not ready or not
	// reached.
	Allocated, Reserved, Idle, Unavailable int64
	// Stranded are idle and of no use to the usual pod of any size that is asked for: too few
	// are together, or the rest of their node is full. It is a bound from below.
	Stranded int64
}

// LargestGang is how many pods of a size the best domain of a level takes now, as far as can
// be told without planning it: a bound from above.
type LargestGang struct {
	Resource corev1.ResourceName
	// Level is the label of a level of the network, or WholeCluster.
	Level string
	// Size is that of pods in devices: see pack.Common, which says what else they ask for.
	Size int32
	Pods int64
}

// WholeCluster is the level that has one domain: the cluster.
const WholeCluster = "cluster"

// domainsAtATime is how many domains are counted before others get the lock.
const domainsAtATime = 32

// Levels are the levels that a census may tell of.
func Levels() []string {
	out := []string{WholeCluster}
	for _, tree := range dialect.FabricTrees() {
		out = append(out, tree...)
	}
	return out
}

// Census counts. It takes the lock of the scheduling loop many times and never for long: for
// the shapes of the cluster once a kind of device, and of a few domains else. Nothing in it
// follows the number of nodes but those that are cordoned, not ready or not reached.
func (p *Path) Census() Census {
	var out Census
	if p.index == nil {
		return out
	}
	p.mu.Lock()
	kinds := p.index.DeviceKinds()
	p.mu.Unlock()
	for _, kind := range kinds {
		name := p.index.Devices().Name(kind)
		out.Devices = append(out.Devices, p.censusOf(kind, name))
		for _, size := range pack.Sizes() {
			if size == pack.Sizes()[len(pack.Sizes())-1] && !p.asked(kind, size) {
				continue // few clusters have nodes of that size
			}
			for _, level := range Levels() {
				if pods, some := p.largest(level, kind, size); some {
					out.Largest = append(out.Largest, LargestGang{name, level, size, pods})
				}
			}
		}
	}
	return out
}

// asked reports whether a pod of a size was ever tried.
func (p *Path) asked(kind pack.DeviceKind, size int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, some := p.common.Of(kind, size)
	return some
}

func (p *Path) censusOf(kind pack.DeviceKind, name corev1.ResourceName) DeviceCensus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var requests []pack.Amounts
	for _, size := range pack.Sizes() {
		if r, some := p.common.Of(kind, size); some {
			requests = append(requests, r)
		}
	}
	if len(requests) == 0 {
		requests = []pack.Amounts{{Kind: kind, Devices: 1, Pods: 1}}
	}
	index, tally := p.index.Pack(), p.index.DeviceTally(kind)
	idle, usable := index.Idle(kind, requests)
	shut := p.index.Shut()
	for id, ok := shut.Next(0); ok; id, ok = shut.Next(id + 1) {
		if free, _ := index.Free(id); free.Kind == kind {
			one, of := index.IdleOf(free, requests)
			idle, usable = idle-one, usable-of
		}
	}
	return DeviceCensus{
		Resource: name, Allocated: tally.Taken, Reserved: tally.Reserved, Idle: idle, Stranded: idle - usable,
		Unavailable: max(0, tally.Capacity-tally.Taken-tally.Reserved-idle),
	}
}

// largest returns how many pods of a size the best domain of a level takes; false if there is
// no such domain.
func (p *Path) largest(name string, kind pack.DeviceKind, size int32) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request, some := p.common.Of(kind, size)
	if !some {
		request = pack.Amounts{Kind: kind, Devices: size, Pods: 1}
	}
	if name == WholeCluster {
		return p.slots(fabric.Root, request), true
	}
	best, any := int64(0), false
	for at := 0; ; at += domainsAtATime {
		// Levels may be others once the lock was free.
		level, known := p.index.Level(name)
		if !known {
			return 0, false
		}
		domains := p.index.Fabric().Of(level)
		if at >= len(domains) {
			return best, any
		}
		for _, d := range domains[at:min(at+domainsAtATime, len(domains))] {
			if p.index.Fabric().Domain(d).Nodes.Len() > 0 {
				best, any = max(best, p.slots(d, request)), true
			}
		}
		p.mu.Unlock()
		p.mu.Lock()
	}
}

// slots returns how many copies of a request fit into a domain, without the nodes that are
// shut.
func (p *Path) slots(d pack.DomainID, request pack.Amounts) int64 {
	index, shut := p.index.Pack(), p.index.Shut()
	slots := index.Slots(d, request)
	nodes := &p.index.Fabric().Domain(d).Nodes
	for id, ok := shut.Next(0); ok && slots > 0; id, ok = shut.Next(id + 1) {
		if nodes.Has(id) {
			free, _ := index.Free(id)
			slots -= index.SlotsOf(free, request)
		}
	}
	return max(0, slots)
}
