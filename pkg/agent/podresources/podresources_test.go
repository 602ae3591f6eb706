package podresources

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	v1 "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// A kubelet serves an answer on a socket.
type kubelet struct {
	v1.UnimplementedPodResourcesListerServer
	socket string

	mu     sync.Mutex
	answer *v1.ListPodResourcesResponse // guarded by mu
	server *grpc.Server
}

func (k *kubelet) List(context.Context, *v1.ListPodResourcesRequest) (*v1.ListPodResourcesResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.answer, nil
}

// start serves on a new socket, as a kubelet does that was restarted.
func (k *kubelet) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(k.socket)
	listener, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	k.server = grpc.NewServer()
	v1.RegisterPodResourcesListerServer(k.server, k)
	go k.server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(k.server.Stop)
}

func (k *kubelet) say(pod string, devices ...*v1.ContainerDevices) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = &v1.ListPodResourcesResponse{PodResources: []*v1.PodResources{
		{Name: "idle", Namespace: "ns", Containers: []*v1.ContainerResources{{Name: "main"}}},
		{Name: pod, Namespace: "ns", Containers: []*v1.ContainerResources{{Name: "main", Devices: devices}}},
	}}
}

func dial(t *testing.T, socket string) *Client {
	t.Helper()
	c, err := New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestList(t *testing.T) {
	k := &kubelet{socket: filepath.Join(t.TempDir(), "kubelet.sock")}
	k.start(t)
	k.say("p",
		&v1.ContainerDevices{ResourceName: "nvidia.com/gpu", DeviceIds: []string{"GPU-a", "GPU-b::3"}},
		&v1.ContainerDevices{ResourceName: "nvidia.com/mig-1g.10gb", DeviceIds: []string{"MIG-c"}})
	got, err := dial(t, k.socket).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []report.Held{
		{Namespace: "ns", Pod: "p", Container: "main", Resource: "nvidia.com/gpu", IDs: []string{"GPU-a", "GPU-b::3"}},
		{Namespace: "ns", Pod: "p", Container: "main", Resource: "nvidia.com/mig-1g.10gb", IDs: []string{"MIG-c"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLargeAnswer lets many containers hold many replicas: more than gRPC takes by
// default.
func TestLargeAnswer(t *testing.T) {
	k := &kubelet{socket: filepath.Join(t.TempDir(), "kubelet.sock")}
	k.start(t)
	ids := make([]string, 120_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("GPU-3a23c669-1f69-c64e-cf85-44e9b07e7a2a::%d", i)
	}
	k.say("p", &v1.ContainerDevices{ResourceName: "nvidia.com/gpu", DeviceIds: ids})
	got, err := dial(t, k.socket).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].IDs) != len(ids) {
		t.Errorf("got %d entries, want one with all ids", len(got))
	}
}

// TestRestart kills the kubelet and starts it again on a new socket.
func TestRestart(t *testing.T) {
	k := &kubelet{socket: filepath.Join(t.TempDir(), "kubelet.sock")}
	c := dial(t, k.socket)
	list := func() ([]report.Held, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return c.List(ctx)
	}
	if _, err := list(); err == nil {
		t.Fatal("got an answer of no kubelet")
	}
	until := time.Now().Add(30 * time.Second)
	for _, pod := range []string{"first", "second"} {
		k.say(pod, &v1.ContainerDevices{ResourceName: "nvidia.com/gpu", DeviceIds: []string{"GPU-a"}})
		k.start(t)
		for {
			held, err := list()
			if err == nil && len(held) == 1 && held[0].Pod == pod {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("waiting for the answer of the %s kubelet: got %v, %v", pod, held, err)
			}
			select {
			case <-time.After(20 * time.Millisecond): // a poll, bounded by until
			case <-t.Context().Done():
			}
		}
		k.server.Stop()
		if _, err := list(); err == nil {
			t.Errorf("got an answer of the %s kubelet after its end", pod)
		}
	}
}
