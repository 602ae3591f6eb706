package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/flagz"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/apiserver/pkg/server/statusz"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/component-base/configz"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/prometheus/slis"
	zpagesfeatures "k8s.io/component-base/zpages/features"
	"k8s.io/klog/v2"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/metrics/resources"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/webpage"
)

const (
	// component is the name of the server in its own pages.
	component = "berth"
	// driftPath is where the packing index is compared with what the informers have.
	driftPath = "/debug/berth/drift"
	// devicesPath is where it is said who holds which devices.
	devicesPath = "/debug/berth/devices"
	// snapshotPath is where the inputs of the next decision are, as berthctl plan reads
	// them; ?profile= names a profile.
	snapshotPath = "/debug/berth/snapshot"

	serverPatience = 5 * time.Second
)

// A pageServer serves pages over TLS, authenticated and authorized by the API server. It takes
// the place of upstream's, which has no room for pages of ours, and begins before there is a
// scheduler: a process that waits for the API server is alive, and not ready.
type pageServer struct{ handler atomic.Pointer[http.Handler] }

// listen serves the health of a process that has not begun yet, until the context is done.
// Without a port to serve on, nobody sees what is served.
func listen(ctx context.Context, cc *schedulerserverconfig.Config) (*pageServer, error) {
	s := &pageServer{}
	s.serve(waitingPages())
	if cc.SecureServing == nil {
		return s, nil
	}
	if _, _, err := cc.SecureServing.Serve(authorized(s, cc.Authentication.Authenticator, cc.Authorization.Authorizer), serverPatience, ctx.Done()); err != nil {
		return nil, fmt.Errorf("starting the secure server: %w", err)
	}
	// Upstream serves only where there is a configuration to serve by.
	cc.SecureServing = nil
	return s, nil
}

// serve serves these pages from now on.
func (s *pageServer) serve(pages http.Handler) { s.handler.Store(&pages) }

// ServeHTTP answers with the pages that there are.
func (s *pageServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.handler.Load()).ServeHTTP(w, r)
}

// waitingPages are the health of a process that does not know yet what the API server serves.
func waitingPages() http.Handler {
	pages := mux.NewPathRecorderMux(component)
	healthz.InstallHandler(pages)
	healthz.InstallLivezHandler(pages)
	healthz.InstallReadyzHandler(pages, healthz.NamedCheck("api-discovery", func(*http.Request) error {
		return errors.New("the API server has not said which APIs it serves")
	}))
	return pages
}

// handled is closed once the scheduler has taken in what there was at the start.
func handled(ctx context.Context, sched *scheduler.Scheduler) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		if err := sched.WaitForHandlersSync(ctx); err == nil {
			close(done)
		}
	}()
	return done
}

// pages are the pages of the server. handled is closed once the scheduler has taken
// in what there was at the start.
func (e *engine) pages(ctx context.Context, cc *schedulerserverconfig.CompletedConfig, handled <-chan struct{}) http.Handler {
	pages := mux.NewPathRecorderMux(component)
	var live []healthz.HealthChecker
	if cc.ComponentConfig.LeaderElection.LeaderElect && cc.LeaderElection != nil {
		live = append(live, cc.LeaderElection.WatchDog)
	}
	ready := append(live[:len(live):len(live)], healthz.NewShutdownHealthz(ctx.Done()), healthz.NamedCheck("sched-handler-sync", func(*http.Request) error {
		select {
		case <-handled:
			return nil
		default:
			return errors.New("handlers are not fully synchronized")
		}
	}))
	healthz.InstallHandler(pages, live...)
	healthz.InstallLivezHandler(pages)
	healthz.InstallReadyzHandler(pages, ready...)

	configz.InstallHandler(pages)
	pages.Handle("/metrics", legacyregistry.HandlerWithReset())
	podMetrics := resources.Handler(cc.InformerFactory.Core().V1().Pods().Lister())
	pages.HandleFunc("/metrics/resources", func(w http.ResponseWriter, r *http.Request) {
		if e.leading.Load() {
			podMetrics.ServeHTTP(w, r)
		}
	})
	slis.SLIMetricsWithReset{}.Install(pages)

	if cc.ComponentConfig.EnableProfiling {
		routes.Profiling{}.Install(pages)
		if cc.ComponentConfig.EnableContentionProfiling {
			runtime.SetBlockProfileRate(1)
		}
		routes.DebugFlags{}.Install(pages, "v", routes.StringFlagPutHandler(logs.GlogSetter))
	}
	if cc.Flagz != nil && utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentFlagz) {
		flagz.Install(pages, component, cc.Flagz)
	}
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentStatusz) {
		statusz.Install(pages, component, statusz.NewRegistry(compatibility.DefaultBuildEffectiveVersion(), statusz.WithListedPaths(pages.ListedPaths())))
	}

	source := e.source(clock.RealClock{}, cc.InformerFactory)
	insight.Install(pages.HandleFunc, source)
	if e.webPage {
		pages.HandlePrefix(webpage.Root, webpage.Handler(ctx, e.pageSource(source, cc.InformerFactory)))
	}

	nodes, pods := cc.InformerFactory.Core().V1().Nodes().Lister(), cc.InformerFactory.Core().V1().Pods().Lister()
	pages.HandleFunc(driftPath, func(w http.ResponseWriter, r *http.Request) {
		drift, err := e.fast.Drift(nodes, pods, e.topologies.List)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, r, drift)
	})
	pages.HandleFunc(devicesPath, func(w http.ResponseWriter, r *http.Request) { answer(w, r, e.fast.Inventory().Dump()) })
	pages.HandleFunc(snapshotPath, func(w http.ResponseWriter, r *http.Request) {
		snapshot, err := e.fast.Snapshot(r.URL.Query().Get("profile"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := snapshot.Write(w); err != nil {
			klog.FromContext(r.Context()).V(2).Info("Answering a request failed", "path", r.URL.Path, "err", err)
		}
	})
	return pages
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, r *http.Request, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		klog.FromContext(r.Context()).V(2).Info("Answering a request failed", "path", r.URL.Path, "err", err)
	}
}

// authorized lets only those through whom the API server allows.
func authorized(handler http.Handler, authn authenticator.Request, authz authorizer.UnconditionalAuthorizer) http.Handler {
	resolver := &request.RequestInfoFactory{}
	handler = filters.WithAuthorization(handler, authz, scheme.Codecs)
	handler = filters.WithAuthentication(handler, authn, filters.Unauthorized(scheme.Codecs), nil, nil)
	handler = filters.WithRequestInfo(handler, resolver)
	handler = filters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	return genericfilters.WithPanicRecovery(handler, resolver)
}
