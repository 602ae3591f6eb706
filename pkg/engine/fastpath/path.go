package fastpath

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
	"github.com/berth-dev/berth/pkg/state"
)

// Path is the fast path of one scheduler.
type Path struct {
	sched    *scheduler.Scheduler
	original schedulePodFunc
	snapshot *internalcache.Snapshot
	cache    *watchedCache
	queue    *sparingQueue
	// profiles are those with the plugin NodePacking, by name.
	profiles map[string]*profile
	// policies are those of the profiles whose plugin was built, by name.
	policies map[string]pack.Policy
	devices  []corev1.ResourceName

	// mu guards what follows. The scheduling loop takes it, once a pod and once a
	// snapshot, and the drift check.
	mu    sync.Mutex
	index *state.Index
	// unread is set while the index has not read the snapshot as a whole.
	unread bool
	// touched are nodes to read anew before the next pod. tentative are all that were
	// since the snapshot was taken: the index may have pods on them that will not stay.
	touched, tentative []string
	// placement is what the group of this cycle is restricted to, with its nodes.
	placement      *fwk.Placement
	placementNodes pack.Set
}

type schedulePodFunc = func(context.Context, framework.Framework, fwk.CycleState, *framework.QueuedPodInfo) (scheduler.ScheduleResult, error)

// profile is what the fast path keeps for one profile.
type profile struct {
	ranking *pack.Ranking
	shapes  shapes
}

// New returns a fast path that belongs to no scheduler yet.
func New() *Path {
	registerMetrics()
	return &Path{profiles: map[string]*profile{}, policies: map[string]pack.Policy{}, unread: true}
}

// Plugins returns the plugin NodePacking, for scheduler.New.
func (p *Path) Plugins() frameworkruntime.Registry {
	return frameworkruntime.Registry{nodepacking.Name: p.newPlugin}
}

// newPlugin builds the plugin of one profile and notes its policy.
func (p *Path) newPlugin(_ context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	var raw []byte
	switch obj := obj.(type) {
	case nil:
	case *runtime.Unknown:
		if obj.ContentType != "" && obj.ContentType != runtime.ContentTypeJSON {
			return nil, fmt.Errorf("reading the arguments of %s: content type %q; it must be JSON", nodepacking.Name, obj.ContentType)
		}
		raw = obj.Raw
	default:
		return nil, fmt.Errorf("reading the arguments of %s: got %T", nodepacking.Name, obj)
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
		devices, err := state.NewDevices(args.Devices)
		if err != nil {
			return nil, fmt.Errorf("checking the arguments of %s: devices: %w", nodepacking.Name, err)
		}
		p.index, p.devices = state.NewIndex(devices), args.Devices
	}
	if !slices.Equal(p.devices, args.Devices) {
		return nil, fmt.Errorf("profile %q: %s has devices %v, and another profile has %v; give all profiles the same, for they share one index",
			name, nodepacking.Name, args.Devices, p.devices)
	}
	p.policies[name] = args.PackPolicy()
	return nodepacking.New(p.policies[name], p, p), nil
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
			p.profiles[name] = &profile{ranking: pack.NewRanking(policy)}
		}
	}
	if len(p.profiles) == 0 {
		// Every pod takes the framework's own way.
		return nil
	}
	p.sched = sched
	p.cache = newWatchedCache(sched.Cache, p)
	sched.Cache = p.cache
	p.queue = newSparingQueue(sched.SchedulingQueue, p)
	sched.SchedulingQueue = p.queue
	p.original = sched.SchedulePod
	sched.SchedulePod = p.schedulePod
	return nil
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
	info := &framework.PodInfo{Pod: pod}
	return p.index.Devices().Request(info.CalculateResource().Resource)
}

// Free returns what a node has free.
func (p *Path) Free(node fwk.NodeInfo) pack.Amounts { return p.index.Devices().Free(node) }

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
