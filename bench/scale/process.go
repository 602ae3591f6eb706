package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// process is a scheduler that runs.
type process struct {
	*localcluster.Program
	contender contender
	started   time.Time
	// port serves its metrics.
	port int
}

// usage is what a process has used until an instant.
type usage struct {
	at  time.Time
	cpu time.Duration
	// bytes and objects are those that it has allocated.
	bytes, objects float64
}

// usage reads what the process has used. Allocations are 0 for one that serves no metrics.
func (p *process) usage(ctx context.Context) (usage, error) {
	u := usage{at: time.Now()}
	if p.contender.name != null {
		metrics, err := p.metrics(ctx)
		if err != nil {
			return u, err
		}
		u.bytes, u.objects = counter(metrics, "go_memstats_alloc_bytes_total"), counter(metrics, "go_memstats_mallocs_total")
	}
	var err error
	u.cpu, err = p.CPUTime()
	return u, err
}

// metrics reads the metrics that the process serves.
func (p *process) metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	// The certificate is one that it made for itself.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/metrics", p.port), nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its metrics: %w", p.contender.name, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its metrics: %w", p.contender.name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of %s: %w", p.contender.name, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s for its metrics: %s: %s", p.contender.name, response.Status, bytes.TrimSpace(body))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of %s: %w", p.contender.name, err)
	}
	return families, nil
}

// counter returns the value of a counter without labels; 0 if there is none.
func counter(families map[string]*dto.MetricFamily, name string) float64 {
	family := families[name]
	if family == nil || len(family.Metric) == 0 {
		return 0
	}
	return family.Metric[0].GetCounter().GetValue()
}
