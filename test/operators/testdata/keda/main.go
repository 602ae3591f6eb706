// Command prometheus-scaler asks KEDA's Prometheus scaler once, as KEDA's operator does for an
// HPA: its argument is a trigger of a ScaledObject, as JSON. It writes what the HPA would get.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, text string) error {
	var trigger struct {
		MetricType autoscalingv2.MetricTargetType
		Metadata   map[string]string
	}
	if err := json.Unmarshal([]byte(text), &trigger); err != nil {
		return fmt.Errorf("reading the trigger: %w", err)
	}
	scaler, err := scalers.NewPrometheusScaler(&scalersconfig.ScalerConfig{
		MetricType: trigger.MetricType, TriggerMetadata: trigger.Metadata, GlobalHTTPTimeout: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("making the scaler: %w", err)
	}
	defer scaler.Close(ctx)
	external := scaler.GetMetricSpecForScaling(ctx)[0].External
	metrics, active, err := scaler.GetMetricsAndActivity(ctx, external.Metric.Name)
	if err != nil {
		return fmt.Errorf("asking the scaler: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"active": active, "value": metrics[0].Value.String(), "averageValue": external.Target.AverageValue.String(),
	})
}
