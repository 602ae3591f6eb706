package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/agent"
	"github.com/berth-dev/berth/pkg/agent/podresources"
	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// requestTimeout bounds a request to the API server.
const requestTimeout = 20 * time.Second

// bootIDFile has an identifier that Linux makes at each boot.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// run reports until the context is done.
func (o *options) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	hardware, err := o.hardware()
	if err != nil {
		return err
	}
	kubelet, err := podresources.New(o.podresourcesSocket)
	if err != nil {
		return err
	}
	defer kubelet.Close()
	client, err := o.client()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a, err := agent.New(agent.Options{
		Node:           report.Node{Name: o.nodeName, Boot: bootID(ctx), Resource: o.resource},
		PollInterval:   o.pollInterval,
		ResyncInterval: o.resyncInterval,
	}, agent.Sources{
		Hardware:   hardware,
		Kubelet:    kubelet,
		Topologies: client.Resource(v1alpha1.GroupVersion.WithResource("nodetopologies")),
		Nodes:      client.Resource(corev1.SchemeGroupVersion.WithResource("nodes")),
		Clock:      clock.RealClock{},
		Random:     rand.Float64,
		Registerer: registry,
	})
	if err != nil {
		return err
	}
	if o.metricsAddress != "" {
		stop, err := serve(ctx, o.metricsAddress, a.Pages(registry))
		if err != nil {
			return err
		}
		defer stop()
	}
	klog.FromContext(ctx).Info("Reporting the devices of a node", "node", o.nodeName, "resource", o.resource, "board", o.board)
	a.Run(ctx)
	return nil
}

// client returns a client of the API server that the flags name.
func (o *options) client() (*dynamic.DynamicClient, error) {
	var config *rest.Config
	var err error
	if o.kubeconfig != "" {
		if config, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig); err != nil {
			return nil, fmt.Errorf("reading --kubeconfig=%q: %w", o.kubeconfig, err)
		}
	} else if config, err = rest.InClusterConfig(); err != nil {
		return nil, fmt.Errorf("finding the API server: %w: %w", err, errKubeconfig)
	}
	config.UserAgent = "berth-agent"
	config.Timeout = requestTimeout
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	return client, nil
}

// bootID returns the identifier of this boot; "" if it cannot be read.
func bootID(ctx context.Context) string {
	id, err := os.ReadFile(bootIDFile)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Boots cannot be told apart: Xid errors stay until the NodeTopology is deleted")
	}
	return strings.TrimSpace(string(id))
}

// serve serves pages until stop is called.
func serve(ctx context.Context, address string, pages http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf(`listening on --metrics-address=%q: %w; give another, or "" for none`, address, err)
	}
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.FromContext(ctx).Error(err, "Metrics and health are not served any more")
		}
	}()
	return func() { _ = server.Close() }, nil
}
