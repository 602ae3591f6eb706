package localcluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"
)

// Files, in the state directory, of the audit log.
const (
	auditPolicyFile = "audit-policy.yaml"
	auditLogFile    = "audit.log"
)

// apiserverArgs are kube-apiserver's flags for a cluster whose state is in
// dir, serving on a port of 127.0.0.1.
func apiserverArgs(dir string, port int, o Options) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{
		"--etcd-servers=unix://" + file(etcdSocket),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // the endpoint of service kubernetes cannot be a loopback address
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + file(servingCertFile),
		"--tls-private-key-file=" + file(servingKeyFile),
		"--client-ca-file=" + file(caFile),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file(serviceAccountKeyFile),
		"--service-account-signing-key-file=" + file(serviceAccountKeyFile),
		"--service-cluster-ip-range=10.0.0.0/24",
		// Not as in production; the package doc says why.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=3000",
		"--max-mutating-requests-inflight=1000",
	}
	args = append(args, o.featureGateArgs()...)
	if len(o.RuntimeConfig) > 0 {
		args = append(args, "--runtime-config="+strings.Join(o.RuntimeConfig, ","))
	}
	if o.EmulatedVersion != "" {
		args = append(args, "--emulated-version="+o.EmulatedVersion)
	}
	if o.AuditLog {
		args = append(args,
			"--audit-policy-file="+file(auditPolicyFile),
			"--audit-log-path="+file(auditLogFile))
	}
	return args
}

// waitForAPIServer returns once all that the API server does when it starts is
// done: its default roles, namespaces and priority classes exist.
func waitForAPIServer(ctx context.Context, client kubernetes.Interface, p *process) error {
	return poll(ctx, p, func() error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// freePort is a TCP port of 127.0.0.1 that was free a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// featureGateArgs are the flags of each process of the control plane for the gates that are
// to be other than stock; none without such gates.
func (o Options) featureGateArgs() []string {
	if len(o.FeatureGates) == 0 {
		return nil
	}
	var gates []string
	for _, name := range slices.Sorted(maps.Keys(o.FeatureGates)) {
		gates = append(gates, fmt.Sprintf("%s=%t", name, o.FeatureGates[name]))
	}
	return []string{"--feature-gates=" + strings.Join(gates, ",")}
}
