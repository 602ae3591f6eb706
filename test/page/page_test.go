package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/webpage"
)

// TestPage opens the page in a browser, with 2,500 nodes and 20,000 GPUs; page.mjs says what
// is looked at.
func TestPage(t *testing.T) {
	chromium := browser(t)
	fleet := newFleet(2500)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	mux := http.NewServeMux()
	mux.Handle(webpage.Root, webpage.Handler(ctx, fleet))
	mux.HandleFunc("POST /step", func(http.ResponseWriter, *http.Request) { fleet.step() })
	mux.HandleFunc("POST /plain", func(http.ResponseWriter, *http.Request) { fleet.plain() })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer cancel() // ends the streams, which the server waits for

	look(t, "page.mjs", chromium, server.URL, webpage.Root)
}

// TestDemoPage opens the page that the demo leaves behind, which is a file; demo.mjs says what is
// looked at.
func TestDemoPage(t *testing.T) {
	chromium := browser(t)
	file := filepath.Join(t.TempDir(), "demo.html")
	if err := demoResult(t, 300).WritePage(file); err != nil {
		t.Fatal(err)
	}
	look(t, "demo.mjs", chromium, file)
}

// look has a script look at a page in a browser.
func look(t *testing.T, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", append([]string{script}, args...)...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%s: %v", script, err)
	}
}

// browser returns the path of Chromium, and skips the test where it or what drives it is
// missing.
func browser(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipped: there is no node to drive a browser with; install Node.js")
	}
	if _, err := os.Stat(filepath.Join("node_modules", "playwright-core")); err != nil {
		t.Skip("skipped: there is no playwright-core; make test-page installs it")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("skipped: there is no Chromium; on Debian, apt-get install chromium")
	return ""
}
