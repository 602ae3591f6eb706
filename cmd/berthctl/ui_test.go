package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/webpage"
)

func (told) Nodes(context.Context) ([]webpage.Node, error) {
	return []webpage.Node{{Name: "n0", Rack: "r0", GPUs: 8}}, nil
}

// discarded is the log of servers whose clients go on purpose.
var discarded = log.New(io.Discard, "", 0)

// paged is a scheduler with a page, for who has the token good.
type paged struct {
	*httptest.Server
	mu sync.Mutex
	// asked are the headers of the requests for the page.
	asked []http.Header
	// strange says that it answers as a scheduler does not.
	strange atomic.Bool
}

func newPaged(t *testing.T) *paged {
	p := &paged{}
	ctx, cancel := context.WithCancel(t.Context())
	page := webpage.Handler(ctx, told{})
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Header.Clone())
		p.mu.Unlock()
		switch {
		case p.strange.Load():
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		case r.Header.Get("Authorization") == "Bearer good":
			page.ServeHTTP(w, r)
		case r.Header.Get("Authorization") == "Bearer stranger":
			http.Error(w, "forbidden", http.StatusForbidden)
		default:
			http.Error(w, "unauthorized", http.StatusUnauthorized)
		}
	}))
	p.Config.ErrorLog = discarded
	p.StartTLS()
	t.Cleanup(p.Close)
	t.Cleanup(cancel) // ends the streams, which the server waits for
	return p
}

// startUI runs berthctl ui, and returns the address that it prints, and what ends it.
func startUI(t *testing.T, args ...string) (address string, stop func() (status int, remarks string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var remarks bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, newCommand(noCluster), append([]string{"ui"}, args...), strings.NewReader(""), printed, &remarks)
		printed.Close()
	}()
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-ended, remarks.String()
	})
	t.Cleanup(func() { stop() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		status, remarks := stop()
		t.Fatalf("it prints no address: status %d, %s", status, remarks)
	}
	return strings.TrimSpace(line), stop
}

// ask sends a request, with headers in pairs; Host is one.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// The page is served to who has the address, as the user, and to nobody else.
func TestUI(t *testing.T) {
	scheduler := newPaged(t)
	address, stop := startUI(t, "--server", scheduler.URL, "--insecure-skip-tls-verify", "--kubeconfig", kubeconfigOf(t, scheduler.URL, "good"))
	origin, secret, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
	if host, _, _ := net.SplitHostPort(origin); host != "127.0.0.1" || len(secret) < 20 {
		t.Fatalf("the address is %s", address)
	}
	_, port, _ := net.SplitHostPort(origin)
	bare := "http://" + origin + "/"

	for _, test := range []struct {
		name, method, url string
		headers           []string
		status            int
		want              string
	}{
		{"the page", "GET", address, nil, 200, "<!doctype html>"},
		{"a part of it", "GET", address + "page.js", []string{"Origin", "http://" + origin, "Sec-Fetch-Site", "same-origin"}, 200, "follow("},
		{"what it shows", "GET", address + "snapshot", nil, 200, `"n0"`},
		{"its head", "HEAD", address, nil, 200, ""},
		{"from a link in another page", "GET", address, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200, "<!doctype html>"},
		{"a part that is not there", "GET", address + "none.js", nil, 404, "none.js"},
		{"another name for this machine", "GET", address, []string{"Host", "localhost:" + port}, 421, "no other name"},
		{"a name that leads here", "GET", address, []string{"Host", "rebound.example:" + port}, 421, "no other name"},
		{"by another page", "GET", address + "snapshot", []string{"Origin", "https://evil.example"}, 403, "no other page"},
		{"by a page of no origin", "GET", address + "snapshot", []string{"Origin", "null"}, 403, "no other page"},
		{"by a page on another port", "GET", address + "snapshot", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403, "no other page"},
		{"in a frame of another page", "GET", address, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "no other page"},
		{"without the secret", "GET", bare, nil, 404, "the whole address"},
		{"by the scheduler's own path", "GET", bare + "berth/ui/", nil, 404, "the whole address"},
		{"with half the secret", "GET", bare + secret[:10] + "/", nil, 404, "the whole address"},
		{"no slash", "GET", strings.TrimSuffix(address, "/"), nil, 404, "the whole address"},
		{"to write", "POST", address, nil, 405, "is read"},
		{"to delete", "DELETE", address + "snapshot", nil, 405, "is read"},
		{"up", "GET", address + "../../metrics", nil, 404, "no such part"},
		{"up, encoded", "GET", address + "..%2f..%2fmetrics", nil, 404, "no such part"},
		{"up, by dots that are encoded", "GET", address + "%2e%2e/metrics", nil, 404, "no such part"},
		{"below", "GET", address + "a/b", nil, 404, "no such part"},
	} {
		response, body := ask(t, test.method, test.url, test.headers...)
		if response.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: status %d, %.200s", test.name, response.StatusCode, body)
		}
		if response.Header.Get("Content-Security-Policy") == "" || response.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", test.name, response.Header)
		}
	}

	// Nothing that a browser says is passed on, and only the page is asked for.
	ask(t, "GET", address, "Authorization", "Bearer other", "Cookie", "a=b", "Impersonate-User", "admin", "Connection", "Upgrade", "Upgrade", "websocket")
	scheduler.mu.Lock()
	for _, header := range scheduler.asked {
		for name := range header {
			if name != "Authorization" && name != "Accept-Encoding" && name != "User-Agent" {
				t.Errorf("the scheduler is told %s: %q", name, header[name])
			}
		}
		if got := header.Get("Authorization"); got != "Bearer good" {
			t.Errorf("the scheduler is asked as %q", got)
		}
	}
	scheduler.mu.Unlock()

	if status, remarks := stop(); status != statusAnswer || strings.Contains(remarks, "berthctl:") || !strings.Contains(remarks, "until Ctrl-C") {
		t.Errorf("it ends with status %d, and said %s", status, remarks)
	}
}

// firstEvent reads the first event of the page's stream, which goes on.
func firstEvent(t *testing.T, address string) (event string, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: status %d, %q", err, response.StatusCode, line)
	}
	return strings.TrimSpace(line), func() { cancel(); response.Body.Close() }
}

// An event comes while the stream goes on; Ctrl-C ends it all the same.
func TestUIStreams(t *testing.T) {
	scheduler := newPaged(t)
	address, stop := startUI(t, "--server", scheduler.URL, "--insecure-skip-tls-verify", "--kubeconfig", kubeconfigOf(t, scheduler.URL, "good"))
	event, end := firstEvent(t, address)
	defer end()
	if event != "event: snapshot" {
		t.Errorf("the stream begins with %q", event)
	}
	scheduler.strange.Store(true)
	if response, body := ask(t, "GET", address); response.StatusCode != http.StatusBadGateway || !strings.Contains(body, "leads nowhere") {
		t.Errorf("where the scheduler leads elsewhere: status %d, %s", response.StatusCode, body)
	}
	if status, remarks := stop(); status != statusAnswer || strings.Count(remarks, "berthctl:") != 1 {
		t.Errorf("it ends with status %d, and said %s", status, remarks)
	}
}

// Who gets no page is told why.
func TestUIRefused(t *testing.T) {
	scheduler := newPaged(t)
	pages := http.NewServeMux()
	insight.Install(pages.HandleFunc, told{})
	bare := httptest.NewTLSServer(pages)
	defer bare.Close()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for _, test := range []struct{ name, token, args, want string }{
		{"no page", "good", "--server " + bare.URL + " --insecure-skip-tls-verify", "start it with --web-page"},
		{"a stranger", "stranger", "--server " + scheduler.URL + " --insecure-skip-tls-verify", "ClusterRole berth-viewer"},
		{"not known", "expired", "--server " + scheduler.URL + " --insecure-skip-tls-verify", "does not know who you are"},
		{"a port that is taken", "good", "--server " + scheduler.URL + " --insecure-skip-tls-verify --port " + port, "--port " + port},
		{"no port", "good", "--port 70000", "1 to 65535"},
	} {
		status, out, log := berthctl(t, noCluster, "", append(append([]string{"ui"}, strings.Fields(test.args)...), "--kubeconfig", kubeconfigOf(t, scheduler.URL, test.token))...)
		if status != statusFailed || out != "" || !strings.Contains(log, test.want) {
			t.Errorf("%s: status %d, %s%s", test.name, status, out, log)
		}
	}

	// A server that is not verified is told nothing.
	asked := len(scheduler.asked)
	status, _, log := berthctl(t, noCluster, "", "ui", "--server", scheduler.URL, "--kubeconfig", kubeconfigOf(t, scheduler.URL, "good"))
	if status != statusFailed || !strings.Contains(log, "--server-ca") || len(scheduler.asked) != asked {
		t.Errorf("without its certificate: status %d, %s; it was asked %d times", status, log, len(scheduler.asked)-asked)
	}
}

// controlPlane is an API server with a Lease, and a kubelet behind it that leads to a pod's port.
type controlPlane struct {
	*httptest.Server
	mu sync.Mutex
	// backend is where the pod listens, nowhere if empty; ways are the tunnels to it.
	backend string
	ways    []httpstream.Connection
}

func newControlPlane(t *testing.T) *controlPlane {
	c := &controlPlane{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/leases/berth"):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"berth"},"spec":{"holderIdentity":"berth-0_1"}}`)
		case r.URL.Path == "/api/v1/namespaces/berth-system/pods/berth-0/portforward" && r.Method == http.MethodPost:
			if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
				return
			}
			c.lead(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	c.Config.ErrorLog = discarded
	c.StartTLS()
	t.Cleanup(c.Close)
	return c
}

// lead connects streams to the backend, as a kubelet does.
func (c *controlPlane) lead(w http.ResponseWriter, r *http.Request) {
	failures := map[string]httpstream.Stream{}
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
		if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			failures[id] = s
			return nil
		}
		backend := c.backend
		go func() {
			defer s.Close()
			if port := s.Headers().Get(corev1.PortHeader); port != "10259" || backend == "" {
				fmt.Fprintf(failures[id], "nobody listens on port %s", port)
				failures[id].Close()
				return
			}
			defer failures[id].Close()
			to, err := net.Dial("tcp", backend)
			if err != nil {
				fmt.Fprint(failures[id], err)
				return
			}
			defer to.Close()
			go func() { _, _ = io.Copy(to, s) }()
			_, _ = io.Copy(s, to)
		}()
		return nil
	})
	if connection == nil {
		return
	}
	c.mu.Lock()
	c.ways = append(c.ways, connection)
	c.mu.Unlock()
	<-connection.CloseChan()
}

// cut ends all tunnels.
func (c *controlPlane) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, way := range c.ways {
		way.Close()
	}
	c.ways = nil
}

// Without --server, the leader is reached through the API server; and another one, once it is
// lost.
func TestUIThroughATunnel(t *testing.T) {
	first, second, api := newPaged(t), newPaged(t), newControlPlane(t)
	kubeconfig := kubeconfigOf(t, api.URL, "good")
	status, _, log := berthctl(t, noCluster, "", "queues", "--kubeconfig", kubeconfig)
	if status != statusFailed || !strings.Contains(log, "nobody listens on port 10259") {
		t.Errorf("of a pod that does not listen: status %d, %s", status, log)
	}

	lead := func(to *paged) {
		api.mu.Lock()
		defer api.mu.Unlock()
		api.backend = to.Listener.Addr().String()
	}
	lead(first)
	address, stop := startUI(t, "--kubeconfig", kubeconfig)
	event, end := firstEvent(t, address)
	defer end()
	if event != "event: snapshot" {
		t.Errorf("the stream begins with %q", event)
	}
	lead(second)
	api.cut()
	if response, body := ask(t, "GET", address); response.StatusCode != http.StatusOK || !strings.Contains(body, "<!doctype html>") {
		t.Errorf("of another leader: status %d, %s", response.StatusCode, body)
	}
	second.mu.Lock()
	if len(second.asked) != 1 {
		t.Errorf("the other leader is asked %d times", len(second.asked))
	}
	second.mu.Unlock()
	if status, remarks := stop(); status != statusAnswer || strings.Contains(remarks, "berthctl:") || !strings.Contains(remarks, "pod berth-system/berth-0") {
		t.Errorf("it ends with status %d, and said %s", status, remarks)
	}
}
