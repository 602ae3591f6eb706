package agent

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// stuck is how long the loop may take to go round: longer than a step may wait for the
// kubelet and the API server together.
const stuck = 2 * time.Minute

// Pages are /metrics and /healthz. The agent is healthy while its loop goes round,
// whatever the driver, the kubelet and the API server do: a restart mends none of them.
func (a *Agent) Pages(gatherer prometheus.Gatherer) http.Handler {
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	pages.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		last := time.Unix(0, a.beat.Load())
		if since := a.clock.Since(last); since > stuck+a.options.PollInterval {
			http.Error(w, fmt.Sprintf("the loop has not gone round for %s", since), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return pages
}
