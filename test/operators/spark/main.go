// Command spark plays the parts of Apache Spark that the Spark operator needs and that are not
// Go: there is no Spark here. What it plays is what Spark 4.0 does to the API of Kubernetes,
// and nothing else: no task is ever run.
//
//	spark-submit --master URL --conf KEY=VALUE ... FILE
//
// as the operator calls it, makes the pod of a driver, with the configuration and the template of
// its executors in config maps that the pod owns (submit.go). It goes by KUBECONFIG, not by the
// URL.
//
//	spark-submit drivers
//
// is every driver's process at once, until it is killed: for each driver's pod that is ready it
// makes those of its executors, and others for those that it loses (driver.go). How many, the
// program of a driver decides: spark.executor.instances, or with dynamic allocation at first the
// largest of the initial number, the least and the instances, and then what the annotation
//
//	berth.dev/simulate-executors
//
// of the driver's pod says, as if so many had work.
//
// Sources: apache/spark 4.0, resource-managers/kubernetes/core: deploy/k8s/features,
// deploy/k8s/submit/KubernetesClientApplication.scala and
// scheduler/cluster/k8s/ExecutorPodsAllocator.scala. Left out: volumes of data, the service of
// the driver, decommissioning, and the limit on failed executors.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("reading the configuration of the client: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client: %w", err)
	}
	if len(args) == 1 && args[0] == "drivers" {
		return play(ctx, client)
	}
	conf, err := readArguments(args)
	if err != nil {
		return err
	}
	return submit(ctx, client, conf)
}
