package integration

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// A user at a prompt opens the page of a scheduler, which knows her by her token; who may not
// is told so.
func TestUIAtAPrompt(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	p := newPrompt(t)
	e.schedulerOn(t, p.port, "--web-page")
	viewerAndStranger(t, e, ns)
	e.create(t, ns, gangOf("p", 2, 1, labels("berth.dev/gang", "g"))...)
	p.as(e, ns, "stranger").says(2, "ui", "403", "berth-viewer")

	cmd := p.as(e, ns, "viewer").command("ui")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := bufio.NewReader(out)
	line, err := printed.ReadString('\n')
	if err != nil {
		t.Fatalf("it prints no address: %v", err)
	}
	// A scheduler that does not lead yet refuses, as it does the page, which tries again. The
	// gang that waits is in the snapshot, or in what changes after it.
	eventually(t, "the stream has the gang", func(ctx context.Context) error {
		return readURL(ctx, strings.TrimSpace(line)+"stream", func(response *http.Response) error {
			lines := bufio.NewScanner(response.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if strings.Contains(lines.Text(), `"`+ns+`/g"`) {
					return nil
				}
			}
			return fmt.Errorf("status %d, and the stream ends: %w", response.StatusCode, cmp.Or(lines.Err(), io.EOF))
		})
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C it ends with %v", err)
	}
}
