package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// The names of the flags of upstream that place the lease.
const (
	leaseNameFlag      = "leader-elect-resource-name"
	leaseNamespaceFlag = "leader-elect-resource-namespace"
)

// placeLease decides where the lease of the leader is, unless flags say so: where
// the configuration says, else in Berth's own namespace, else, on a cluster that
// has none, in kube-system. A lease in a namespace that does not exist would leave
// the scheduler waiting for ever.
func placeLease(ctx context.Context, upstream *options.Options, cfg *schedulerconfig.KubeSchedulerConfiguration) error {
	name, namespace := cfg.LeaderElection.ResourceName, cfg.LeaderElection.ResourceNamespace
	if name == upstreamLeaseName {
		name = LeaseName
		if namespace == metav1.NamespaceSystem {
			namespace = LeaseNamespace
		}
	}
	election := upstream.Flags.FlagSet("leader election")
	elect := cfg.LeaderElection.LeaderElect
	if election.Changed("leader-elect") {
		elect = upstream.LeaderElection.LeaderElect
	}
	if elect && namespace == LeaseNamespace && !election.Changed(leaseNamespaceFlag) {
		missing, err := namespaceMissing(ctx, upstream, cfg, namespace)
		if err != nil {
			return err
		}
		if missing {
			klog.FromContext(ctx).Info("Berth's namespace does not exist; the lease of the leader is in kube-system", "missing", namespace, "lease", name)
			namespace = metav1.NamespaceSystem
		}
	}
	for flag, value := range map[string]string{leaseNameFlag: name, leaseNamespaceFlag: namespace} {
		if election.Changed(flag) {
			continue
		}
		if err := election.Set(flag, value); err != nil {
			return fmt.Errorf("setting --%s: %w", flag, err)
		}
	}
	return nil
}

// namespaceMissing asks the API server for a namespace. Any answer but "not found"
// counts as there: who may not read namespaces may still write the lease.
func namespaceMissing(ctx context.Context, upstream *options.Options, cfg *schedulerconfig.KubeSchedulerConfiguration, namespace string) (bool, error) {
	kubeconfig := cfg.ClientConnection.Kubeconfig
	if deprecated := upstream.Flags.FlagSet("deprecated"); deprecated.Changed("kubeconfig") && upstream.ConfigFile == "" {
		kubeconfig = upstream.Deprecated.Kubeconfig
	}
	config, err := clientcmd.BuildConfigFromFlags(upstream.Master, kubeconfig)
	if err != nil {
		return false, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false, fmt.Errorf("making a client to look for namespace %q: %w", namespace, err)
	}
	_, err = client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	return apierrors.IsNotFound(err), nil
}
