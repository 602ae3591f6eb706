package localcluster

import (
	"slices"
	"strings"
	"testing"
)

func TestAPIServerArgs(t *testing.T) {
	stock := apiserverArgs("/state", 6443, Options{})
	for _, arg := range stock {
		for _, prefix := range []string{"--feature-gates", "--runtime-config", "--audit", "--disable-admission"} {
			if strings.HasPrefix(arg, prefix) {
				t.Errorf("a stock API server is started with %s", arg)
			}
		}
	}
	full := apiserverArgs("/state", 6443, Options{
		FeatureGates:    map[string]bool{"GenericWorkload": true, "Another": false},
		RuntimeConfig:   []string{"scheduling.k8s.io/v1beta1=true", "api/beta=false"},
		EmulatedVersion: "1.36",
		AuditLog:        true,
	})
	for _, want := range []string{
		"--secure-port=6443",
		"--bind-address=127.0.0.1",
		"--authorization-mode=RBAC",
		"--feature-gates=Another=false,GenericWorkload=true",
		"--runtime-config=scheduling.k8s.io/v1beta1=true,api/beta=false",
		"--emulated-version=1.36",
		"--audit-log-path=/state/audit.log",
	} {
		if !slices.Contains(full, want) {
			t.Errorf("no %s in %v", want, full)
		}
	}
}
