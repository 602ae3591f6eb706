package fastpath

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/engine/requeue"
	"github.com/berth-dev/berth/pkg/plugins/arguments"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/plugins/fabricplacement"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Path is the fast path of one scheduler.
type Path struct {
	sched    *scheduler.Scheduler
	original schedulePodFunc
	snapshot *internalcache.Snapshot
	groups   *requeue.GroupCache
	// facts are those of the gangs among which victims were searched last, by name.
	facts map[string]*memberFacts
	// leavesOut is what LeaveOut was told.
	leavesOut func() bool
	cache     *watchedCache
	queue     *requeue.Queue
	// profiles are those with the plugin NodePacking, by name.
	profiles map[string]*profile
	// impossible remembers which gangs the empty cluster could not hold.
	impossible impossible
	// policies are those of the profiles whose plugin was built, by name.
	policies map[string]pack.Policy
	devices  []corev1.ResourceName
	// inventory knows the devices of nodes, topology is what DeviceTopology was told.
	inventory *device.Inventory
	topology  *devicetopology.Args

	// claims is what Claims was told, and claimed what it said last.
	claims  func() *[]repair.Claim
	claimed *[]repair.Claim
	// refusals is what Avoid was told. wantsRoom says that room is looked for for anybody.
	refusals  Refusals
	wantsRoom atomic.Bool

	// mu guards what follows. The scheduling loop takes it, once a pod and once a
	// snapshot, and the drift check.
	mu    sync.Mutex
	index *nodeindex.Index
	// common is what most pods of each size ask for.
	common pack.Common
	// unread is set while the index has not read the snapshot as a whole.
	unread bool
	// touched are nodes to read anew before the next pod. tentative are all that were
	// since the snapshot was taken: the index may have pods on them that will not stay.
	touched, tentative []string
	// placement is what the group of this cycle is restricted to, with its nodes.
	placement      *fwk.Placement
	placementNodes pack.Set
	// plans are those of the gang of this cycle.
	plans plans
	// reservations are kept for those who wait for others to leave, and within is where such a one
	// is tried out.
	reservations reservations
	within       sets.Set[string]
}

type schedulePodFunc = func(context.Context, framework.Framework, fwk.CycleState, *framework.QueuedPodInfo) (scheduler.ScheduleResult, error)

// profile is what the fast path keeps for one profile.
type profile struct {
	ranking *pack.Ranking
	shapes  podshape.Shapes
}

// New returns a fast path that belongs to no scheduler yet.
func New() *Path {
	registerMetrics()
	return &Path{profiles: map[string]*profile{}, policies: map[string]pack.Policy{}, unread: true, inventory: device.NewInventory(), leavesOut: func() bool { return false }}
}

// Inventory returns what the path knows of devices.
func (p *Path) Inventory() *device.Inventory { return p.inventory }

// Plugins returns the plugins NodePacking, DeviceTopology and FabricPlacement, for
// scheduler.New.
func (p *Path) Plugins() frameworkruntime.Registry {
	return frameworkruntime.Registry{
		nodepacking.Name: p.newNodePacking, devicetopology.Name: p.newDeviceTopology, fabricplacement.Name: p.newFabricPlacement,
	}
}

// newDeviceTopology builds the plugin of one profile. All share one inventory.
func (p *Path) newDeviceTopology(_ context.Context, obj runtime.Object, _ fwk.Handle) (fwk.Plugin, error) {
	raw, err := arguments.Raw(obj, devicetopology.Name)
	if err != nil {
		return nil, err
	}
	args, err := devicetopology.DecodeArgs(raw)
	if err != nil {
		return nil, err
	}
	if p.topology != nil && !reflect.DeepEqual(p.topology, args) {
		return nil, fmt.Errorf("two profiles have different arguments of %s; give all profiles the same, for they share one inventory", devicetopology.Name)
	}
	p.topology = args
	p.inventory.Pick(args.TopologyPicker(), args.TopologySizes())
	return devicetopology.New(p.inventory), nil
}

// newNodePacking builds the plugin of one profile and notes its policy.
func (p *Path) newNodePacking(_ context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	raw, err := arguments.Raw(obj, nodepacking.Name)
	if err != nil {
		return nil, err
	}
	args, err := nodepacking.DecodeArgs(raw)
	if err != nil {
		return nil, err
	}
	named, ok := handle.(interface{ ProfileName() string })
	if !ok {
		return nil, fmt.Errorf("building %s: the framework %T does not tell the name of its profile", nodepacking.Name, handle)
	}
	name := named.ProfileName()
	if p.index == nil {
		devices, err := device.NewKinds(args.Devices)
		if err != nil {
			return nil, fmt.Errorf("checking the arguments of %s: devices: %w", nodepacking.Name, err)
		}
		p.inventory.Count(devices)
		p.index, p.devices = nodeindex.New(devices, p.inventory), args.Devices
	}
	if !slices.Equal(p.devices, args.Devices) {
		return nil, fmt.Errorf("profile %q: %s has devices %v, and another profile has %v; give all profiles the same, for they share one index",
			name, nodepacking.Name, args.Devices, p.devices)
	}
	p.policies[name] = args.PackPolicy()
	return nodepacking.New(p.policies[name], p, p, p), nil
}

// Attach puts the fast path into a scheduler that was made with its plugins. It must
// come before the scheduler's informers start.
func (p *Path) Attach(sched *scheduler.Scheduler) error {
	if p.sched != nil {
		return errors.New("attaching the fast path: it belongs to a scheduler already")
	}
	for name, schedFramework := range sched.Profiles {
		snapshot, ok := schedFramework.SnapshotSharedLister().(*internalcache.Snapshot)
		if !ok {
			return fmt.Errorf("attaching the fast path: profile %q reads from %T; the fast path needs the scheduler's own snapshot", name, schedFramework.SnapshotSharedLister())
		}
		p.snapshot = snapshot
		if policy, ok := p.policies[name]; ok && packs(schedFramework) {
			p.profiles[name] = &profile{ranking: p.index.Pack().NewRanking(policy)}
		}
	}
	p.sched = sched
	sched.Cache = countingCache{Cache: sched.Cache, inventory: p.inventory}
	if len(p.profiles) == 0 {
		// Every pod takes the framework's own way.
		return nil
	}
	p.queue = requeue.NewQueue(sched.SchedulingQueue, requeue.Config{
		Activating: func(pods map[string]*corev1.Pod, activate func()) { p.groups.Activate(pods, activate) },
		MostFree:   func(node string) (pack.Amounts, bool) { return p.cache.atMostFree(node) },
		OtherGates: requeue.GatesUnknown(maps.Values(sched.Profiles)),
	})
	p.groups = requeue.NewGroupCache(sched.Cache, p.queue, p.leavesOut)
	p.cache = newWatchedCache(p.groups, p)
	sched.Cache = p.cache
	sched.SchedulingQueue = p.queue
	p.original = sched.SchedulePod
	sched.SchedulePod = p.schedulePod
	return nil
}

// LeaveOut has gangs be left out of the snapshot that their queues hold, and those of which every
// pod has its node, while when says so: whoever looks for a place has no use for them. Upstream's
// preemption has, which takes the pods of a gang for single ones without: when must not be true
// while it may run. LeaveOut comes before Attach.
func (p *Path) LeaveOut(when func() bool) { p.leavesOut = when }

// LeavesOut reports whether any gang that is placed is left out of the last snapshot.
func (p *Path) LeavesOut() bool {
	return p.groups != nil && p.groups.LeavesOut()
}

// MayHelp says which pods that wait an event may help. The scheduling queue asks under its
// lock.
func (p *Path) MayHelp(_ klog.Logger, oldObj, newObj any) (fwk.PreQueueingHintResult, error) {
	if p.queue == nil {
		return fwk.PreQueueingHintResult{AllPods: true}, nil
	}
	return p.queue.MayHelp(oldObj, newObj), nil
}

// Asked takes in whether its queue let a pod pass, or holds it.
func (p *Path) Asked(pod *corev1.Pod, passed bool) {
	if p.queue != nil {
		p.queue.Asked(pod, passed)
	}
}

// packs reports whether a profile has NodePacking where the fast path needs it: its
// order among the Score plugins, its notes among the Reserve plugins.
func packs(schedFramework framework.Framework) bool {
	plugins := schedFramework.ListPlugins()
	has := func(name string, of ...string) bool { return slices.Contains(of, name) }
	var score, reserve []string
	for _, plugin := range plugins.Score.Enabled {
		score = append(score, plugin.Name)
	}
	for _, plugin := range plugins.Reserve.Enabled {
		reserve = append(reserve, plugin.Name)
	}
	return has(nodepacking.Name, score...) && has(nodepacking.Name, reserve...)
}

// Request returns what a pod asks for, as the scheduler counts it.
func (p *Path) Request(pod *corev1.Pod) pack.Amounts {
	return p.request(pod, ResourceOf(pod))
}

// ResourceOf returns what a pod takes of its node, as the scheduler counts it.
func ResourceOf(pod *corev1.Pod) fwk.Resource {
	if requests, plain := workload.PlainRequests(pod); plain {
		return framework.NewResource(requests)
	}
	info := &framework.PodInfo{Pod: pod}
	return info.CalculateResource().Resource
}

// DevicesIn returns which devices a pod with these requests asks for, and how many; 0 if it
// asks for none.
func (p *Path) DevicesIn(requests corev1.ResourceList) (corev1.ResourceName, int64) {
	if p.index == nil {
		return "", 0
	}
	request := p.index.Devices().RequestOfList(requests)
	if request.Devices <= 0 {
		return "", 0
	}
	return p.index.Devices().Name(request.Kind), int64(request.Devices)
}

// requestAlike reports whether Request is the same for two versions of a pod.
func (p *Path) requestAlike(a, b *corev1.Pod) bool {
	if workload.RequestsAlike(a, b) {
		before, _ := dialect.GPULink(a)
		now, _ := dialect.GPULink(b)
		if before == now {
			return true
		}
	}
	return p.Request(a) == p.Request(b)
}

// request returns what a pod that requests r asks for. Links that it asks for in words
// that mean nothing count as none: the plugin DeviceTopology refuses it.
func (p *Path) request(pod *corev1.Pod, r fwk.Resource) pack.Amounts {
	request := p.index.Devices().Request(r)
	if request.Devices > 1 {
		request.Link, _ = dialect.GPULink(pod)
	}
	return request
}

// Rank returns the place of a node in the order of a policy.
func (p *Path) Rank(policy pack.Policy, node fwk.NodeInfo, request pack.Amounts) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index.Pack().Rank(policy, p.index.Free(node), request)
}

// Number returns the number of a node in the index, one past all others if it has
// none.
func (p *Path) Number(node string) pack.NodeID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id, ok := p.index.ID(node); ok {
		return id
	}
	return math.MaxInt32
}

// Touched notes a node whose pods change within a pod-group cycle.
func (p *Path) Touched(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.touched, p.tentative = append(p.touched, node), append(p.tentative, node)
}

// shapeOf returns the shape of a pod of a profile that requests r, kept up with the index.
func (p *Path) shapeOf(profile *profile, pod *corev1.Pod, r fwk.Resource) *podshape.Shape {
	devices := p.inventory.RequestOf(pod)
	s := profile.shapes.Of(pod, r, &devices)
	s.CatchUp(p.index, s.Verified.Remove)
	return s
}
