package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/berth-dev/berth/pkg/webpage"
)

// route is the way to the scheduler, which is looked for anew once it is lost.
type route struct {
	open func(context.Context) (*scheduler, error)

	mu      sync.Mutex
	current *scheduler
}

// to returns the scheduler, and looks for it if need be.
func (p *route) to(ctx context.Context) (*scheduler, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		s, err := p.open(ctx)
		if err != nil {
			return nil, err
		}
		p.current = s
	}
	return p.current, nil
}

// lose gives up a scheduler that cannot be reached.
func (p *route) lose(s *scheduler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == s {
		p.current = nil
		s.client.CloseIdleConnections()
		s.close()
	}
}

func (p *route) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.current.close()
		p.current = nil
	}
}

// RoundTrip asks the scheduler, and once more if the way was lost: what is asked here changes
// nothing and has no body.
func (p *route) RoundTrip(request *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		s, err := p.to(request.Context())
		if err != nil {
			return nil, err
		}
		to, err := url.Parse(s.base + request.URL.Path)
		if err != nil {
			return nil, err
		}
		out := request.Clone(request.Context())
		out.URL, out.Host = to, ""
		// Not by the client: it has a timeout, and a stream has none.
		response, err := s.client.Transport.RoundTrip(out)
		if err == nil {
			return response, nil
		}
		if request.Context().Err() != nil {
			return nil, err
		}
		p.lose(s)
		if again {
			return nil, fmt.Errorf("the scheduler at %s cannot be reached: %w", s.where, err)
		}
	}
}

// proxy serves the scheduler's page, and nothing else, below a secret path of a port of this
// machine.
type proxy struct {
	host, secret string
	forward      http.Handler
	way          *route

	mu      sync.Mutex
	remarks io.Writer
	said    string
}

func newProxy(port int, secret string, way *route, remarks io.Writer) *proxy {
	p := &proxy{host: fmt.Sprintf("127.0.0.1:%d", port), secret: secret, way: way, remarks: remarks}
	if port == 80 { // browsers leave it out
		p.host = "127.0.0.1"
	}
	p.forward = &httputil.ReverseProxy{
		Transport: way, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			// Nothing that the browser says is passed on: no credentials, cookies or names of
			// others to act as. Compressed, a stream would be late.
			r.Out.Header = http.Header{"Accept-Encoding": {"identity"}}
			r.Out.URL.Path = webpage.Root + strings.TrimPrefix(r.In.URL.Path, p.root())
			r.Out.URL.RawPath, r.Out.URL.RawQuery = "", ""
			r.Out.Body, r.Out.ContentLength = nil, 0
		},
		ModifyResponse: p.judge,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				p.remark(err.Error())
			}
			refuse(w, http.StatusBadGateway, err.Error())
		},
	}
	return p
}

func (p *proxy) root() string    { return "/" + p.secret + "/" }
func (p *proxy) address() string { return "http://" + p.host + p.root() }

// judge looks at an answer: one that leads elsewhere is none of the page's.
func (p *proxy) judge(response *http.Response) error {
	switch code := response.StatusCode; {
	case code >= 300 && code < 400:
		return fmt.Errorf("the scheduler answers %d, which leads to %q, and its page leads nowhere", code, response.Header.Get("Location"))
	case code == http.StatusOK:
		p.remark("")
	case (code == http.StatusUnauthorized || code == http.StatusForbidden) && response.Request.Method == http.MethodGet:
		if s, err := p.way.to(response.Request.Context()); err == nil {
			p.remark(s.refusal(webpage.Root, code, nil).Error())
		}
	}
	return nil
}

// remark says what is wrong, once until something else is; nothing is wrong with "".
func (p *proxy) remark(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text != p.said && text != "" {
		fmt.Fprintln(p.remarks, "berthctl:", text)
	}
	p.said = text
}

// ofPage are the names of what is below the page's root: one segment, and none of dots alone.
var ofPage = regexp.MustCompile(`^([a-z0-9_-]+(\.[a-z0-9_-]+)*)?$`)

// ServeHTTP serves those who have the secret, from a page that this is or from no page.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Host != p.host:
		// Another name that leads here is how a page elsewhere would pass for this one.
		refuse(w, http.StatusMisdirectedRequest, "this is http://"+p.host+", by no other name")
	case r.Header.Get("Origin") != "" && r.Header.Get("Origin") != "http://"+p.host, !ownOrTyped(r.Header):
		refuse(w, http.StatusForbidden, "no other page may read this one")
	case subtle.ConstantTimeCompare([]byte(first), []byte(p.secret)) != 1 || !strings.HasPrefix(r.URL.Path, p.root()):
		refuse(w, http.StatusNotFound, "there is nothing here: open the whole address that berthctl ui printed")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "this page is read, with GET")
	case !ofPage.MatchString(rest):
		refuse(w, http.StatusNotFound, "the page has no such part")
	default:
		p.forward.ServeHTTP(w, r)
	}
}

// ownOrTyped reports whether a browser asks for this page's own parts, or for the page itself
// as its user wants; other programs say nothing of it. An address of another port of this
// machine is another site's in all but name.
func ownOrTyped(header http.Header) bool {
	switch header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return header.Get("Sec-Fetch-Mode") == "navigate" && header.Get("Sec-Fetch-Dest") == "document"
}

// refuse says why something is not served.
func refuse(w http.ResponseWriter, status int, why string) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	webpage.Refuse(w, status, errors.New(why))
}
