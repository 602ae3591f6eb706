// Package podresources asks the kubelet which containers hold which devices, by its
// podresources API, version 1, on a socket of the node.
package podresources

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	v1 "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// DefaultSocket is where a kubelet serves, unless its root directory is another.
const DefaultSocket = "/var/lib/kubelet/pod-resources/kubelet.sock"

// maxAnswer is the largest answer that is taken, in bytes: the kubelet's own limit.
const maxAnswer = 16 << 20

// Client asks one kubelet. It connects when it is asked, and again after the kubelet
// has been restarted.
type Client struct {
	socket     string
	connection *grpc.ClientConn
	lister     v1.PodResourcesListerClient
}

// New returns a client of the kubelet at a socket. It does not connect yet.
func New(socket string) (*Client, error) {
	connection, err := grpc.NewClient("unix:"+socket,
		// The socket is the node's, and who may open it is root.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		// The kubelet is away for seconds, not minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("making a client for the kubelet at %q: %w", socket, err)
	}
	return &Client{socket: socket, connection: connection, lister: v1.NewPodResourcesListerClient(connection)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.connection.Close() }

// List returns what containers hold of each resource.
func (c *Client) List(ctx context.Context) ([]report.Held, error) {
	answer, err := c.lister.List(ctx, &v1.ListPodResourcesRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking the kubelet at %q: %w", c.socket, err)
	}
	var held []report.Held
	for _, pod := range answer.GetPodResources() {
		for _, container := range pod.GetContainers() {
			for _, devices := range container.GetDevices() {
				held = append(held, report.Held{
					Namespace: pod.GetNamespace(),
					Pod:       pod.GetName(),
					Container: container.GetName(),
					Resource:  devices.GetResourceName(),
					IDs:       devices.GetDeviceIds(),
				})
			}
		}
	}
	return held, nil
}
