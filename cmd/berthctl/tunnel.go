package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// tunnel leads to a port of a pod, through the API server and the kubelet. It has no port on
// this machine: whoever listened on that after it was given up would be taken for the pod, and
// be sent credentials.
type tunnel struct {
	connection httpstream.Connection
	port       int
	requests   atomic.Int64
}

// openTunnel opens a tunnel by the subresource portforward of a pod.
func openTunnel(ctx context.Context, config *rest.Config, at *url.URL, port int) (*tunnel, error) {
	roundTripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	overSPDY := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, at)
	overWebsocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, config)
	if err != nil {
		return nil, err
	}
	// As kubectl does: servers before 1.31 know no websocket there.
	dialer := portforward.NewFallbackDialerForStreaming(overWebsocket, overSPDY, func(error) bool { return true })
	type outcome struct {
		*tunnel
		err error
	}
	// The dialer knows no context.
	opened := make(chan outcome, 1)
	go func() {
		connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		opened <- outcome{&tunnel{connection: connection, port: port}, err}
	}()
	select {
	case o := <-opened:
		return o.tunnel, o.err
	case <-ctx.Done():
		go func() {
			if o := <-opened; o.err == nil {
				o.close()
			}
		}()
		return nil, ctx.Err()
	}
}

func (t *tunnel) close() { t.connection.Close() }

// dial opens a connection to the port, whatever the address.
func (t *tunnel) dial(context.Context, string, string) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(t.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.requests.Add(1), 10))
	failures, err := t.connection.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	failures.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.connection.CreateStream(headers)
	if err != nil {
		t.connection.RemoveStreams(failures)
		return nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	c := &tunnelled{Stream: data, tunnel: t, failures: failures, told: make(chan struct{})}
	go c.listen()
	return c, nil
}

// tunnelled is a connection through a tunnel.
type tunnelled struct {
	httpstream.Stream
	tunnel   *tunnel
	failures httpstream.Stream
	// told is closed once the kubelet has said why the connection ends; failure is that.
	told    chan struct{}
	failure error
}

// listen waits for what the kubelet says of the connection, if anything.
func (c *tunnelled) listen() {
	text, err := io.ReadAll(c.failures)
	switch {
	case len(text) > 0:
		c.failure = errors.New(strings.TrimSpace(string(text)))
	case err != nil:
		c.failure = err
	}
	close(c.told)
	if c.failure != nil {
		_ = c.Reset() // wakes who reads
	}
}

// tellingPatience is how long the kubelet may take to say why a connection has ended.
const tellingPatience = time.Second

func (c *tunnelled) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	if err == nil || n > 0 {
		return n, nil
	}
	select {
	case <-c.told:
		if c.failure != nil {
			return 0, c.failure
		}
	case <-time.After(tellingPatience):
	}
	return 0, err
}

func (c *tunnelled) Close() error {
	err := c.Reset()
	_ = c.failures.Reset()
	c.tunnel.connection.RemoveStreams(c.Stream, c.failures)
	return err
}

// tunnelAddress is either end of a tunnel, which has no address.
type tunnelAddress struct{}

func (tunnelAddress) Network() string { return "portforward" }
func (tunnelAddress) String() string  { return "portforward" }

func (c *tunnelled) LocalAddr() net.Addr  { return tunnelAddress{} }
func (c *tunnelled) RemoteAddr() net.Addr { return tunnelAddress{} }

// Streams have no deadlines; those that a request has close the connection.
func (c *tunnelled) SetDeadline(time.Time) error      { return nil }
func (c *tunnelled) SetReadDeadline(time.Time) error  { return nil }
func (c *tunnelled) SetWriteDeadline(time.Time) error { return nil }
