package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// secureArgs make a scheduler serve on a port of this machine.
func (e *environment) secureArgs(port int) []string {
	return []string{fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1",
		"--authentication-kubeconfig=" + e.kubeconfig, "--authorization-kubeconfig=" + e.kubeconfig}
}

// get asks a scheduler for a page as the user of a configuration.
func get(ctx context.Context, config *rest.Config, port int, path string) (code int, body string, err error) {
	config = rest.CopyConfig(config)
	// The certificate is one that the scheduler made for itself.
	config.TLSClientConfig.Insecure = true
	config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = nil, ""
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// checkDrift fails the test if the packing index of a scheduler is not what the API
// server's objects make of it. A pod is scheduled first, so that the index has read
// what the test changed; the node of that pod is still in flight then. Nodes that change
// after that, as when pods of the test leave, are in flight until another pod is scheduled.
//
// A scheduler that may not lead has read nothing, which is no fault.
func (e *environment) checkDrift(t *testing.T, port int, leads bool) {
	t.Helper()
	probe := e.probe(t)
	defer func() { e.endProbe(t, probe) }()
	eventually(t, "the packing index agrees with the cluster", func(ctx context.Context) error {
		now, err := e.client.CoreV1().Pods(probe.Namespace).Get(ctx, probe.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.Spec.NodeName == "" {
			return fmt.Errorf("pod %q has no node", probe.Name)
		}
		code, body, err := get(ctx, e.AdminConfig(), port, "/debug/berth/drift")
		if err != nil {
			return err
		}
		var drift struct {
			Compared, InFlight int
			Differences        []string
		}
		if err := json.Unmarshal([]byte(body), &drift); err != nil || code != http.StatusOK {
			return fmt.Errorf("status %d: %.300s", code, body)
		}
		switch {
		case len(drift.Differences) > 0:
			return fmt.Errorf("%d of %d nodes differ: %v", len(drift.Differences), drift.Compared, drift.Differences)
		case leads && drift.Compared <= drift.InFlight:
			e.endProbe(t, probe)
			probe = e.probe(t)
			return fmt.Errorf("only %d nodes could be compared, %d were in flight", drift.Compared, drift.InFlight)
		}
		return nil
	})
}

// probe makes a pod that goes before a drift check.
func (e *environment) probe(t *testing.T) *corev1.Pod {
	t.Helper()
	probe := pod("", 0)
	probe.GenerateName = "drift-"
	made, err := e.client.CoreV1().Pods(metav1.NamespaceDefault).Create(context.Background(), probe, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating the pod that goes before a drift check: %v", err)
	}
	return made
}

func (e *environment) endProbe(t *testing.T, probe *corev1.Pod) {
	t.Helper()
	now := int64(0)
	err := e.client.CoreV1().Pods(probe.Namespace).Delete(context.Background(), probe.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("deleting the pod of a drift check: %v", err)
	}
}
