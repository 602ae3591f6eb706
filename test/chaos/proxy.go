package chaos

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// Faults says what a Proxy does to requests. Fractions are of those that write, but for
// Throttle and Fail, which are of all but watches.
type Faults struct {
	// Lose is the fraction that the server gets and answers, and whose answer is lost.
	Lose float64
	// Drop is the fraction that is lost before the server gets it.
	Drop float64
	// Late is the fraction that the server gets, but only LateBy after the client was told
	// that it is lost.
	Late   float64
	LateBy time.Duration
	// Throttle and Fail are the fractions that are answered with 429 and 500.
	Throttle, Fail float64
	// Latency is added to each request.
	Latency time.Duration
	// WatchDelay is how late events of watches arrive.
	WatchDelay time.Duration
	// Cut is how often all connections are cut, 0 for never.
	Cut time.Duration
}

// Proxy stands between a client and the API server.
type Proxy struct {
	server  *httptest.Server
	forward *httputil.ReverseProxy
	seed    uint64
	faults  atomic.Pointer[Faults]
	done    chan struct{}

	mu    sync.Mutex
	seen  map[string]uint64
	conns map[net.Conn]struct{}
	// counts are the faults by kind.
	counts map[string]int
}

// NewProxy starts a proxy before the API server of a configuration, without faults.
func NewProxy(config *rest.Config, seed uint64) (*Proxy, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the API server: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	p := &Proxy{seed: seed, done: make(chan struct{}), seen: map[string]uint64{}, conns: map[net.Conn]struct{}{}, counts: map[string]int{}}
	p.faults.Store(&Faults{})
	silent := log.New(io.Discard, "", 0)
	p.forward = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		ModifyResponse: p.delayWatch,
		FlushInterval:  -1,
		ErrorLog:       silent,
		// An API server that is down is a connection that is cut.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = silent
	p.server.Config.ConnState = p.connection
	p.server.StartTLS()
	go p.cut()
	return p, nil
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	close(p.done)
	p.server.CloseClientConnections()
	p.server.Close()
}

// Set changes the faults.
func (p *Proxy) Set(f Faults) { p.faults.Store(&f) }

// Counts returns how many faults there were of each kind.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]int{}
	for kind, n := range p.counts {
		out[kind] = n
	}
	return out
}

// URL is the address of the proxy, and CA the certificate that vouches for it.
func (p *Proxy) URL() string { return p.server.URL }

// CA returns the certificate that vouches for the proxy, as PEM.
func (p *Proxy) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// ServeHTTP forwards a request, or does what the faults say.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.faults.Load()
	if f.Latency > 0 {
		time.Sleep(f.Latency)
	}
	if r.URL.Query().Get("watch") != "" {
		p.forward.ServeHTTP(w, r)
		return
	}
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch x := p.draw(r); {
	case x < f.Throttle:
		p.count("429")
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusTooManyRequests, "TooManyRequests")
	case x < f.Throttle+f.Fail:
		p.count("500")
		answer(w, http.StatusInternalServerError, "InternalError")
	case !writes || x >= f.Throttle+f.Fail+f.Drop+f.Lose+f.Late:
		p.forward.ServeHTTP(w, r)
	case x < f.Throttle+f.Fail+f.Drop:
		p.count("dropped")
		panic(http.ErrAbortHandler)
	case x < f.Throttle+f.Fail+f.Drop+f.Lose:
		p.count("lost")
		p.forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		p.count("late")
		body, _ := io.ReadAll(r.Body)
		late := r.Clone(noCancel{r.Context()})
		late.Body = io.NopCloser(bytes.NewReader(body))
		time.AfterFunc(f.LateBy, func() {
			defer func() { _ = recover() }() // the server may be gone by then
			p.forward.ServeHTTP(httptest.NewRecorder(), late)
		})
		panic(http.ErrAbortHandler)
	}
}

// draw returns a number of [0, 1) for a request.
func (p *Proxy) draw(r *http.Request) float64 {
	key := r.Method + " " + r.URL.Path
	p.mu.Lock()
	n := p.seen[key]
	p.seen[key]++
	p.mu.Unlock()
	return draw(p.seed, key, n)
}

// draw returns a number of [0, 1) that follows from its arguments.
func draw(seed uint64, key string, n uint64) float64 {
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], seed)
	binary.LittleEndian.PutUint64(b[8:], n)
	h.Write(b[:])
	h.Write([]byte(key))
	// The high bits of FNV follow the last bytes too little: mix them, as splitmix64 does.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

func (p *Proxy) count(kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[kind]++
}

// answer answers as the API server does when it refuses.
func answer(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"fault of the test","reason":%q,"code":%d}`, reason, code)
}

func (p *Proxy) connection(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, conn)
	}
}

// cut cuts the connections as often as the faults say.
func (p *Proxy) cut() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
		}
		if every := p.faults.Load().Cut; every == 0 || time.Since(last) < every {
			continue
		}
		last = time.Now()
		p.mu.Lock()
		p.counts["cut"]++
		for conn := range p.conns {
			_ = conn.Close()
		}
		p.mu.Unlock()
	}
}
