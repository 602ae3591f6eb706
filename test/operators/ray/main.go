// Command ray plays the parts of Ray that KubeRay needs and that are not Go: there is no Ray
// here. No task is ever run.
//
//	ray --listen=127.0.0.1:PORT
//
// is a proxy of HTTP that answers itself, for KubeRay reaches heads by the names of their
// services, which only a cluster's DNS knows: with http_proxy in its environment it asks here.
// The head of a URL is its host.
//
//   - The dashboard of each head (dashboard.go): a job that anybody asks about runs, until it
//     is told to stop; applications of Serve run from their deployment on.
//   - The proxy of Serve on each pod, /-/healthz: it is well.
//
// It is the autoscaler of each RayCluster that has spec.enableInTreeAutoscaling too
// (autoscaler.go), which has as many workers as the annotation
//
//	berth.dev/simulate-workers
//
// of the RayCluster says, as if so many had work: within the limits of its first worker group.
//
// Sources: ray-project/ray 2.52: python/ray/dashboard/modules/job/job_head.py and
// modules/serve/serve_head.py, and
// python/ray/autoscaler/v2/instance_manager/cloud_providers/kuberay/cloud_provider.py.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listen := flag.String("listen", "", "host and port on which the proxy listens")
	flag.Parse()
	if err := run(ctx, *listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("reading the configuration of the client: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client: %w", err)
	}
	server := &http.Server{Addr: listen, Handler: newHeads(), ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	scaler := autoscaler{client: client}
	for {
		if err := scaler.reconcile(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		select {
		case err := <-failed:
			return fmt.Errorf("listening on %q: %w", listen, err)
		case <-ctx.Done():
			return server.Close()
		case <-time.After(every):
		}
	}
}
