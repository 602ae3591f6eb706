package localcluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// auditPolicy logs each request once, when it has been answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
`

// An auditEvent is what we read of a line of the audit log.
type auditEvent struct {
	Stage      string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	// ImpersonatedUser acts, and User only asks for it.
	ImpersonatedUser *struct{ Username string }
	ObjectRef        *struct{ Resource, Subresource, Name string }
}

// Requests counts the requests of user that were answered, as "verb resource"
// or "verb resource/subresource", as in "create pods/binding". An answer counts
// whatever its code. A watch counts when it ends; requests for something else
// than resources do not count. It needs Options.AuditLog.
func (c *Cluster) Requests(ctx context.Context, user string) (map[string]int, error) {
	return c.RequestsAbout(ctx, user, func(string) bool { return true })
}

// RequestsAbout is Requests of objects whose names are among some. That of an event begins with
// the name of what it is about.
func (c *Cluster) RequestsAbout(ctx context.Context, user string, among func(name string) bool) (map[string]int, error) {
	counts := map[string]int{}
	err := c.readAudit(ctx, func(e auditEvent) {
		who := e.User.Username
		if e.ImpersonatedUser != nil {
			who = e.ImpersonatedUser.Username
		}
		if who != user || e.ObjectRef == nil || !among(e.ObjectRef.Name) {
			return
		}
		what := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			what += "/" + e.ObjectRef.Subresource
		}
		counts[e.Verb+" "+what]++
	})
	return counts, err
}

// Writes is Requests without those that only read: get, list and watch.
func (c *Cluster) Writes(ctx context.Context, user string) (map[string]int, error) {
	counts, err := c.Requests(ctx, user)
	for key := range counts {
		switch verb, _, _ := bytes.Cut([]byte(key), []byte(" ")); string(verb) {
		case "get", "list", "watch":
			delete(counts, key)
		}
	}
	return counts, err
}

// readAudit calls each for every event of the audit log. The API server logs a
// request just after it has answered it, so readAudit makes a request of its
// own first, and waits until that one is in the log: all that was answered
// before is then there too, short of a goroutine that was held up for longer
// than a request takes.
func (c *Cluster) readAudit(ctx context.Context, each func(auditEvent)) error {
	if !c.options.AuditLog {
		return errors.New("reading the audit log: the cluster was started without Options.AuditLog")
	}
	mark := "/version?mark=" + rand.Text()
	if err := c.client.Discovery().RESTClient().Get().RequestURI(mark).Do(ctx).Error(); err != nil {
		return fmt.Errorf("marking the audit log: %w", err)
	}
	f, err := os.Open(filepath.Join(c.dir, auditLogFile))
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	var line []byte
	for {
		part, err := lines.ReadBytes('\n')
		line = append(line, part...)
		if errors.Is(err, io.EOF) { // the log may still grow
			select {
			case <-ctx.Done():
				return fmt.Errorf("reading the audit log: %w", ctx.Err())
			case <-time.After(5 * time.Millisecond):
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("reading the audit log: line %q: %w", line, err)
		}
		line = line[:0]
		if event.RequestURI == mark {
			return nil
		}
		if event.Stage == "ResponseComplete" {
			each(event)
		}
	}
}
