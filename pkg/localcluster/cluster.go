package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// startTimeout is how long etcd and the API server together may take until
// they are ready. It does not count the building of binaries.
const startTimeout = 2 * time.Minute

// Options of a cluster. The zero value is a cluster with stock feature gates,
// in a temporary directory.
type Options struct {
	// Dir holds etcd's data, certificates, kubeconfigs and logs. It must be
	// new or empty, and stays behind when the cluster is stopped. "" means a
	// temporary directory, which does not.
	Dir string
	// BinDir is the directory of etcd and kube-apiserver; see EnsureBinaries
	// for what "" means.
	BinDir string
	// FeatureGates of kube-apiserver and kube-controller-manager that are to be other than
	// stock.
	FeatureGates map[string]bool
	// RuntimeConfig turns API versions on or off in kube-apiserver, as in
	// "scheduling.k8s.io/v1beta1=true".
	RuntimeConfig []string
	// EmulatedVersion has kube-apiserver serve the APIs, and have the defaults of feature
	// gates, of an older release, such as "1.34"; "" for its own. It reaches three releases back.
	EmulatedVersion string
	// Controllers are those that kube-controller-manager runs, by their full names, such as
	// job-controller; see Controllers. It is not started if there are none.
	Controllers []string
	// Heartbeat is how often each node renews its lease; 0 for never, which is right only
	// without the controller node-lifecycle-controller. A real kubelet does every 10 s.
	Heartbeat time.Duration
	// AuditLog has the API server log its requests, for Requests and Writes.
	AuditLog bool
	// Progress, if not nil, is told in a sentence what is going on.
	Progress func(string)
}

// A Cluster is a control plane that runs on this machine.
type Cluster struct {
	options   Options
	state     *stateDir
	dir       string // path of state
	server    string // URL of the API server
	authority *authority
	admin     *rest.Config
	client    kubernetes.Interface // the admin's, in protobuf

	spawner *spawner
	// running are the processes in the order in which they were started.
	running []*process
	// background is the life of what runs in this process: the default
	// service accounts and the kubelets.
	background     context.Context
	stopBackground context.CancelFunc
	kubelets       sync.WaitGroup
	stop           sync.Once

	mu       sync.Mutex
	next     position   // guarded by mu
	programs []*Program // guarded by mu
}

// Start starts a control plane and returns when it is ready to serve. The
// cluster outlives ctx, which only bounds the start; Stop ends it.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	bin, err := EnsureBinaries(ctx, o.BinDir, o.Progress)
	if err != nil {
		return nil, err
	}
	dir, err := newStateDir(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: o, state: dir, dir: dir.path, spawner: newSpawner(), next: position{node: 1, rack: 1, block: 1}}
	c.background, c.stopBackground = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	if err := c.start(ctx, bin); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, bin string) error {
	var err error
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	if err := c.authority.writeServerFiles(c.dir); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.dir, auditPolicyFile), []byte(auditPolicy), 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}

	c.options.Progress("starting etcd and kube-apiserver " + kubernetesVersion)
	etcd, err := c.spawner.start("etcd", c.dir, filepath.Join(bin, "etcd"), etcdArgs(c.dir)...)
	if err != nil {
		return err
	}
	c.running = append(c.running, etcd)
	if err := waitForEtcd(ctx, c.dir, etcd); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, filepath.Join(bin, "kube-apiserver")); err != nil {
		return err
	}
	if err := giveServiceAccounts(c.background, c.client); err != nil {
		return err
	}
	if len(c.options.Controllers) > 0 {
		c.options.Progress("starting " + controllerManager)
		if err := c.startControllers(filepath.Join(bin, controllerManager)); err != nil {
			return err
		}
	}
	return c.WriteAdminKubeconfig(c.Kubeconfig())
}

// startAPIServer starts kube-apiserver on a free port. Between our finding a
// port and its taking it, someone else may; then it tries another.
func (c *Cluster) startAPIServer(ctx context.Context, binary string) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		c.server = fmt.Sprintf("https://127.0.0.1:%d", port)
		if c.admin, err = c.configFor(AdminUser, adminGroup); err != nil {
			return err
		}
		if c.client, err = kubernetes.NewForConfig(protobuf(c.admin)); err != nil {
			return fmt.Errorf("making a client: %w", err)
		}
		p, err := c.spawner.start(apiserverName, c.dir, binary, apiserverArgs(c.dir, port, c.options)...)
		if err != nil {
			return err
		}
		c.running = append(c.running, p)
		err = waitForAPIServer(ctx, c.client, p)
		if err == nil || attempt == attempts || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
		p.kill()
		c.running = slices.DeleteFunc(c.running, func(other *process) bool { return other == p })
	}
}

// AdminConfig is a client configuration that may do anything, as AdminUser,
// without a limit on requests a second. It speaks JSON, so that it fits every
// kind; Client speaks protobuf. The caller may change it.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.admin) }

// Client is a client of the built-in kinds that may do anything, as AdminUser.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Dir is the state directory; kube-apiserver.log and etcd.log are in it.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig is the path of a kubeconfig for AdminUser, in the state directory.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, adminKubeconfigFile) }

// Wait returns nil when ctx ends, and an error, with the end of the log, as
// soon as one of the processes does.
func (c *Cluster) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, p := range c.running {
		go func() {
			select {
			case <-p.exited:
				cancel(p.failure())
			case <-ctx.Done():
			}
		}()
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// Stop ends all that Start and StartKubelets started, waits until it is gone,
// and removes the state directory if it was a temporary one. Calls after the
// first do nothing.
func (c *Cluster) Stop() {
	c.stop.Do(func() {
		c.stopBackground()
		c.kubelets.Wait()
		c.mu.Lock()
		for _, p := range c.programs {
			p.Kill()
		}
		c.mu.Unlock()
		for _, p := range slices.Backward(c.running) {
			p.kill()
		}
		c.spawner.close()
		c.state.close()
	})
}
