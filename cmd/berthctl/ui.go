package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/webpage"
)

func newUICommand() *cobra.Command {
	var at reach
	var port int
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Open the scheduler's web page through a port of this machine",
		Long: `ui opens the page of a scheduler that was started with --web-page: racks and GPUs with
who sits where, queues, gangs that wait and why, and decisions as they are taken. It
prints an address on 127.0.0.1 for your browser, and serves the page there until Ctrl-C.
If another replica comes to lead, the page is that of the new leader.

The page is asked for as you, and your credentials stay here: the browser has none. So
the address is a secret. Its path is made by chance, new each time, and nobody without
it gets anything, other users of this machine neither. Requests that another web page
makes, or that come by another name than 127.0.0.1, are refused, and so is all but
reading. It goes over HTTP: to see it from elsewhere, forward the port with ssh -L, by
the same number.

` + asksScheduler + `

Status: 0 after Ctrl-C, 2 if there is no page.`,
		Example: `  berthctl ui
  berthctl ui --port 8080
  berthctl ui --context production
  berthctl ui --server https://127.0.0.1:10259 --server-ca berth.crt

  # from a machine without a browser: there, and on yours
  berthctl ui --port 8080
  ssh -L 8080:127.0.0.1:8080 THERE       # then open the address that was printed`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 0 || port > 65535 {
				return fmt.Errorf("--port must be 1 to 65535, or 0 for any that is free; got %d", port)
			}
			return serveUI(cmd.Context(), at, port, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1 (default: any that is free)")
	at.addFlags(cmd.Flags())
	cmd.Flags().Lookup("namespace").Hidden = true // the page is of all
	return cmd
}

// headerPatience is how long a browser may take to say what it wants.
const headerPatience = 10 * time.Second

// serveUI serves the page until the context ends.
func serveUI(ctx context.Context, at reach, port int, out, remarks io.Writer) error {
	first, err := at.open(ctx)
	if err != nil {
		return err
	}
	way := &route{open: at.open, current: first}
	defer way.close()
	switch _, err := first.fetch(ctx, webpage.Root, nil); {
	case errors.Is(err, errNoPage):
		return fmt.Errorf("the scheduler at %s serves no web page: start it with --web-page, as one more of the args in its Deployment", first.where)
	case err != nil:
		return err
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("--port %d: %w; without it, any port that is free is taken", port, err)
	}
	proxy := newProxy(listener.Addr().(*net.TCPAddr).Port, rand.Text(), way, remarks)
	server := &http.Server{
		Handler: proxy, ReadHeaderTimeout: headerPatience, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintln(out, proxy.address())
	fmt.Fprintf(remarks, "The page of the scheduler at %s, until Ctrl-C. Whoever has the address sees what you may see.\n", first.where)
	select {
	case err := <-ended:
		return fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
		_ = server.Close() // streams end with it
		return nil
	}
}
