package localcluster

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// controllerManager is the name of the process, its binary and its user.
const controllerManager = "kube-controller-manager"

// Controllers returns the controllers of kube-controller-manager that a cluster with
// workloads needs, by their names in 1.37: those that make pods, that make up for lost
// ones, and that clean up. It leaves out those of clouds, volumes, certificates and
// services, which have nothing to do here.
func Controllers() []string {
	return []string{
		"job-controller", "cronjob-controller", "deployment-controller", "replicaset-controller",
		"statefulset-controller", "daemonset-controller", "ttl-after-finished-controller",
		"garbage-collector-controller", "pod-garbage-collector-controller", "namespace-controller",
		"serviceaccount-controller", "resourcequota-controller", "disruption-controller",
		"node-lifecycle-controller", "taint-eviction-controller", "resourceclaim-controller",
		"clusterrole-aggregation-controller",
		// Without it a native PodGroup is never gone: admission gives each a finalizer.
		"podgroup-protection-controller",
	}
}

// startControllers starts kube-controller-manager with the controllers that the options
// name.
func (c *Cluster) startControllers(binary string) error {
	kubeconfig := filepath.Join(c.dir, controllerManager+".kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, "system:"+controllerManager, adminGroup); err != nil {
		return err
	}
	p, err := c.spawner.start(controllerManager, c.dir, binary, controllerArgs(c.dir, kubeconfig, c.options)...)
	if err != nil {
		return err
	}
	c.running = append(c.running, p)
	return nil
}

// controllerArgs are kube-controller-manager's flags.
func controllerArgs(dir, kubeconfig string, o Options) []string {
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(o.Controllers, ","),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=0",
		"--service-account-private-key-file=" + filepath.Join(dir, serviceAccountKeyFile),
		"--root-ca-file=" + filepath.Join(dir, caFile),
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--concurrent-job-syncs=16",
		"--node-eviction-rate=10",
	}
	args = append(args, o.featureGateArgs()...)
	if o.Heartbeat > 0 && slices.Contains(o.Controllers, "node-lifecycle-controller") {
		grace := nodeGrace(o.Heartbeat)
		args = append(args, "--node-monitor-period="+min(5*time.Second, o.Heartbeat).String(), "--node-monitor-grace-period="+grace.String())
	}
	return args
}

// nodeGrace is after how long without a heartbeat a node is not ready: five heartbeats, as
// by default.
func nodeGrace(heartbeat time.Duration) time.Duration { return 5 * heartbeat }
